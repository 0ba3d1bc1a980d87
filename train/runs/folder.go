// Package runs is what a run folder holds and how it is read: the names of its files, the lines of
// its log, and [Run], which follows a run while it is being trained. It changes nothing in the
// folder.
package runs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Names in a run folder.
const (
	ConfigFile     = "config.yml"    // the resolved experiment
	CommandsFile   = "commands.txt"  // how the run was started, a line for each start
	VersionsFile   = "versions.json" // what it was last run with
	LogFile        = "log.jsonl"     // one JSON object a line
	LockFile       = "lock"          // held while training
	StacksFile     = "stacks.txt"    // where a training hung that made no progress
	CheckpointsDir = "checkpoints"
	SamplesDir     = "samples"
)

// Files are the names of the files in a run folder, but for those in its folders.
func Files() []string {
	return []string{ConfigFile, CommandsFile, VersionsFile, LogFile, LockFile, StacksFile}
}

// Is says whether a folder is that of a run: a configuration alone, which many folders have, makes
// none.
func Is(dir string) bool {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	return has(ConfigFile) && (has(VersionsFile) || has(LogFile))
}

// ParseVersions reads what [VersionsFile] holds: what describes a version, by name. It is nil if the
// text is none of that, because it may be half written.
func ParseVersions(text []byte) (versions map[string]string) {
	if json.Unmarshal(text, &versions) != nil {
		return nil
	}
	return versions
}

// Extensions of the samples of a step: a contact sheet, and the same as a video.
const (
	Sheet = ".png"
	Film  = ".gif"
)

// CheckpointName names the checkpoint of a step, in [CheckpointsDir].
func CheckpointName(step int) string { return stepName(step, ".safetensors") }

// CheckpointStep is the step of a checkpoint, from the name of its file in [CheckpointsDir].
func CheckpointStep(name string) (step int, ok bool) { return stepOf(name, ".safetensors") }

// SampleName names the samples of a step, in [SamplesDir]; extension is [Sheet] or [Film].
func SampleName(step int, extension string) string { return stepName(step, extension) }

// SampleStep is the step of samples, from the name of their file in [SamplesDir].
func SampleStep(name, extension string) (step int, ok bool) { return stepOf(name, extension) }

func stepName(step int, extension string) string { return fmt.Sprintf("step-%08d%s", step, extension) }

func stepOf(name, extension string) (step int, ok bool) {
	if !strings.HasSuffix(name, extension) {
		return 0, false
	}
	_, err := fmt.Sscanf(name, "step-%d", &step)
	return step, err == nil && step >= 0 && name == stepName(step, extension)
}
