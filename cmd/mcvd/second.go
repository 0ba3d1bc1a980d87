package main

import (
	"fmt"
	"strings"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/guidance"
	"mcvd/models/weights"
	"mcvd/train"
)

const secondPath = "sampler.guidance.options.checkpoint"

// secondCheckpoint is the path of the checkpoint that the guidance compares with the run, "" if it
// compares with none.
func (l *loaded) secondCheckpoint() (path string, err error) {
	guide, err := guidance.New(l.sampler.Guidance, l.config.Frames)
	if err != nil || !guide.Compares() {
		return "", err
	}
	if guide.Checkpoint == "" {
		return "", configs.Problem{Path: secondPath, Text: `"", want the path of a checkpoint of a weaker model, such as RUN/checkpoints/step-00001000.safetensors`}
	}
	return guide.Checkpoint, nil
}

// openSecond reads the weaker model that the guidance compares with the run, if it does.
func (l *loaded) openSecond() error {
	path, err := l.secondCheckpoint()
	if err != nil || path == "" {
		return err
	}
	f, config, err := train.OpenWeights(path)
	if err != nil {
		return fmt.Errorf("%s: %w", secondPath, err)
	}
	defer f.Close()
	if other := train.OtherProcess(config, l.config); len(other) > 0 {
		return fmt.Errorf("%s: %s: other noise levels or another target than the run: %s", secondPath, path, strings.Join(other, "; "))
	}
	second, err := models.New(config)
	if err == nil {
		err = l.model.LoadSecond(l.backend, l.store, f, second)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", secondPath, path, err)
	}
	return nil
}

// secondSum is the hash of the second checkpoint's file, "" if there is none.
func (l *loaded) secondSum() (string, error) {
	path, err := l.secondCheckpoint()
	if err != nil || path == "" {
		return "", err
	}
	return weights.SHA256(path)
}
