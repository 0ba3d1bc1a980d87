// Command check reads Kubernetes manifests into the API's own types and those of Kubeflow, and fails at a
// field that these don't have, at anything but a Job, an MPIJob, a TrainJob or a TrainingRuntime, and at a
// number of shards or ranks that is not the same everywhere. It is a module of its own, so that the project
// doesn't depend on Kubernetes.
// Call: cd scripts/cluster/check && go run . ../manifests/*.yaml
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed || len(os.Args) == 1 {
		os.Exit(1)
	}
}

// checks are what is read, by API and kind.
var checks = map[string]func([]byte) error{
	"batch/v1 Job":                                  checkJob,
	"kubeflow.org/v2beta1 MPIJob":                   checkMPIJob,
	"trainer.kubeflow.org/v1alpha1 TrainJob":        checkTrainJob,
	"trainer.kubeflow.org/v1alpha1 TrainingRuntime": checkTrainingRuntime,
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var is struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &is); err != nil {
			return err
		}
		kind := is.APIVersion + " " + is.Kind
		checkKind, ok := checks[kind]
		if !ok {
			return fmt.Errorf("%q is not one of those that are checked", kind)
		}
		if err := checkKind(document); err != nil {
			return fmt.Errorf("%s: %w", is.Kind, err)
		}
		fmt.Printf("%s: a %s, with fields that the API knows\n", path, is.Kind)
	}
	return nil
}

func checkJob(text []byte) error {
	var job batch.Job
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return err
	}
	pod := job.Spec.Template.Spec
	if job.Spec.PodFailurePolicy != nil && pod.RestartPolicy != core.RestartPolicyNever {
		return fmt.Errorf("restartPolicy %s, but a podFailurePolicy asks for Never", pod.RestartPolicy)
	}
	if mode := job.Spec.CompletionMode; mode == nil || *mode != batch.IndexedCompletion {
		return nil
	}
	for _, c := range pod.Containers {
		for _, v := range c.Env {
			if v.Name != "JOB_COMPLETION_COUNT" {
				continue
			}
			if n, err := strconv.Atoi(v.Value); err != nil || job.Spec.Completions == nil || int32(n) != *job.Spec.Completions {
				return fmt.Errorf("%s %s, want the number of completions", v.Name, v.Value)
			}
			return nil
		}
	}
	return fmt.Errorf("an indexed Job without JOB_COMPLETION_COUNT")
}
