// Package experiment reads experiments: the YAML of package configs, with everything that there is
// to choose from in packages data, models, optimizer and ranks. The configurations that it returns are
// complete and checked, with the options of the chosen implementations.
package experiment

import (
	"errors"
	"slices"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/models"
	"mcvd/models/guidance"
	"mcvd/models/network"
	"mcvd/models/sampler"
	"mcvd/train/optimizer"
	"mcvd/train/ranks"
)

func catalogue() configs.Catalogue {
	return configs.Catalogue{Tables: slices.Concat(data.Tables(), models.Tables(), optimizer.Tables(), ranks.Tables()), Check: check}
}

// check is what the implementations report about a configuration.
func check(c *configs.Config) error {
	guidanceErr := guidance.Check(c.Sampler.Guidance, c.Frames)
	m, err := models.New(c)
	var samplerErr error
	if err == nil {
		err, samplerErr = network.Unused(m.Network, c), m.CheckSampler(c.Sampler)
	} else {
		_, samplerErr = sampler.New(c.Sampler)
	}
	return errors.Join(data.Check(c), err, optimizer.Unused(c), ranks.Check(c), samplerErr, guidanceErr)
}

// Load reads a file with its bases, then overrides such as "frames.past=10": see
// [configs.Catalogue.Load].
func Load(path string, overrides ...string) (*configs.Config, error) {
	return catalogue().Load(path, overrides...)
}

// Parse reads a stored configuration, then overrides: see [configs.Catalogue.Parse].
func Parse(name string, text []byte, overrides ...string) (*configs.Config, error) {
	return catalogue().Parse(name, text, overrides...)
}

// Resolve checks and completes a configuration that a program made: see
// [configs.Catalogue.Resolve].
func Resolve(c *configs.Config) error { return catalogue().Resolve(c) }

// Reference describes every setting.
func Reference() string { return catalogue().Reference() }

// Schema is the JSON schema of configuration files.
func Schema() ([]byte, error) { return catalogue().Schema() }
