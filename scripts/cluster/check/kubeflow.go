package main

import (
	"fmt"
	"slices"
	"strconv"

	mpi "github.com/kubeflow/mpi-operator/pkg/apis/kubeflow/v2beta1"
	trainer "github.com/kubeflow/trainer/v2/pkg/apis/trainer/v1alpha1"
	jobset "sigs.k8s.io/jobset/api/jobset/v1alpha2"
	"sigs.k8s.io/yaml"
)

func checkMPIJob(text []byte) error {
	var job mpi.MPIJob
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return err
	}
	launcher, worker := job.Spec.MPIReplicaSpecs[mpi.MPIReplicaTypeLauncher], job.Spec.MPIReplicaSpecs[mpi.MPIReplicaTypeWorker]
	if len(job.Spec.MPIReplicaSpecs) != 2 || launcher == nil || worker == nil || len(launcher.Template.Spec.Containers) != 1 {
		return fmt.Errorf("want a Launcher of one container, and a Worker")
	}
	if job.Spec.SlotsPerWorker == nil || worker.Replicas == nil {
		return fmt.Errorf("want slotsPerWorker, and replicas of the Worker")
	}
	c := launcher.Template.Spec.Containers[0]
	return checkRanks(c.Command, c.Args, int(*job.Spec.SlotsPerWorker**worker.Replicas))
}

func checkTrainJob(text []byte) error {
	var job trainer.TrainJob
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return err
	}
	t := job.Spec.Trainer
	if t == nil || t.NumNodes == nil || t.NumProcPerNode == nil {
		return fmt.Errorf("want a trainer with numNodes and numProcPerNode")
	}
	return checkRanks(t.Command, t.Args, int(*t.NumNodes)*t.NumProcPerNode.IntValue())
}

func checkTrainingRuntime(text []byte) error {
	var runtime trainer.TrainingRuntime
	if err := yaml.UnmarshalStrict(text, &runtime); err != nil {
		return err
	}
	if p := runtime.Spec.MLPolicy; p == nil || p.MPI == nil {
		return fmt.Errorf("want mlPolicy.mpi")
	}
	// What Trainer looks for by its name.
	for _, name := range []string{"launcher", "node"} {
		if !slices.ContainsFunc(runtime.Spec.Template.Spec.ReplicatedJobs, func(j jobset.ReplicatedJob) bool { return j.Name == name }) {
			return fmt.Errorf("no replicated job %s", name)
		}
	}
	return nil
}

// checkRanks reports another number of ranks than there is room for.
func checkRanks(command, args []string, room int) error {
	line := slices.Concat(command, args)
	i := slices.Index(line, "-n")
	if len(line) == 0 || line[0] != "mpirun" || i < 0 || i+1 == len(line) {
		return fmt.Errorf("%q, want mpirun -n", line)
	}
	if n, err := strconv.Atoi(line[i+1]); err != nil || n != room {
		return fmt.Errorf("mpirun -n %s, want the number of ranks for which there is room, %d", line[i+1], room)
	}
	return nil
}
