package main

import (
	"fmt"
	"log/slog"
	"strings"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/guidance"
	"mcvd/models/weights"
	"mcvd/train"
)

// A guidance may evaluate another network beside the run's.

const (
	secondPath     = "sampler.guidance.options.checkpoint"
	classifierPath = "sampler.guidance.options.classifier"
	classesPath    = "sampler.guidance.options.classes"
)

// openSecond reads the other network that the guidance evaluates, if it does.
func (l *loaded) openSecond(log *slog.Logger) error {
	guide, err := guidance.New(l.sampler.Guidance, l.config.Frames)
	switch {
	case err != nil:
		return err
	case guide.Leads():
		return l.openClassifier(guide, log)
	case guide.Compares():
		return l.openWeaker(guide.Checkpoint)
	}
	return nil
}

// openWeaker reads the weaker model that the guidance compares with the run.
func (l *loaded) openWeaker(path string) error {
	if path == "" {
		return configs.Problem{Path: secondPath, Text: `"", want the path of a checkpoint of a weaker model, such as RUN/checkpoints/step-00001000.safetensors`}
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
	l.second = path
	return nil
}

// openClassifier reads the classifier that leads videos.
func (l *loaded) openClassifier(guide *guidance.Plan, log *slog.Logger) error {
	if guide.Classifier == "" {
		return configs.Problem{Path: classifierPath, Text: `"", want the run folder of a classifier`}
	}
	if len(guide.Classes) == 0 {
		return configs.Problem{Path: classesPath, Text: "[], want what videos should show, some of the classes of " + guide.Classifier}
	}
	run, err := train.OpenRun(guide.Classifier)
	if err != nil {
		return fmt.Errorf("%s: %w", classifierPath, err)
	}
	f, _, err := run.OpenCheckpoint("", log)
	if err != nil {
		return fmt.Errorf("%s: %w", classifierPath, err)
	}
	defer f.Close()
	classifier, err := models.New(run.Config)
	if err == nil {
		err = l.model.LoadClassifier(l.backend, l.store, f, classifier, guide.Classes)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", classifierPath, guide.Classifier, err)
	}
	l.second = f.Path()
	return nil
}

// secondSum is the hash of the other network's file, "" if there is none.
func (l *loaded) secondSum() (string, error) {
	if l.second == "" {
		return "", nil
	}
	return weights.SHA256(l.second)
}
