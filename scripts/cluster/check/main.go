// Command check reads Kubernetes manifests into the API's own types, and fails at a field that these
// don't have, at anything but a Job, and at a number of shards that is not the same everywhere. It
// is a module of its own, so that the project doesn't depend on Kubernetes.
// Call: cd scripts/cluster/check && go run . ../manifests/*.yaml
package main

import (
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
			continue
		}
		fmt.Printf("%s: a Job, with fields that the API knows\n", path)
	}
	if failed || len(os.Args) == 1 {
		os.Exit(1)
	}
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var job batch.Job
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return err
	}
	if job.Kind != "Job" || job.APIVersion != "batch/v1" {
		return fmt.Errorf("%s of %s, want a Job of batch/v1", job.Kind, job.APIVersion)
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
