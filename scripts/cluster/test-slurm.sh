#!/bin/bash
# Runs mcvd.slurm on a real Slurm of one host, which this script starts and stops: an evaluation in
# three shards, one of which is cancelled, and trainings by one process and by two ranks, which Slurm
# stops and queues again, and of which ranks are killed. All must end with the bytes of undisturbed ones.
# Needs root, and Debian's slurm-wlm, which it installs where it is missing. MPIs are those of
# install-mpi.sh. Call after `make build`: scripts/cluster/test-slurm.sh
set -euo pipefail

cd "$(dirname "$0")/../.."
export MCVD=$PWD/bin/mcvd
if ! command -v slurmctld >/dev/null; then
	apt-get install -y slurm-wlm
fi

dir=$(mktemp -d)
export SLURM_CONF=$dir/slurm.conf
end() {
	scancel --user=root --full --signal=KILL 2>/dev/null && sleep 1
	for daemon in slurmctld slurmd munged; do
		if [ -f "$dir/$daemon.pid" ]; then
			kill "$(cat "$dir/$daemon.pid")" 2>/dev/null || true
		fi
	done
	rm -rf "$dir" 2>/dev/null || { sleep 3 && rm -rf "$dir"; } # a daemon still wrote
}
trap end EXIT
fail() {
	echo "FAILED: $*" >&2
	tail -n 5 "$dir"/*.log "$dir"/work/*.log >&2
	exit 1
}

host=$(hostname -s)
chmod 755 "$dir" # munged asks for that
mkdir "$dir/state" "$dir/spool" "$dir/work"
head -c 1024 /dev/urandom >"$dir/munge.key"
chmod 600 "$dir/munge.key"
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$dir/munge.socket,cred_expire=5
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=60 State=UP
END
echo "== starting Slurm $(slurmctld -V)"
munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
	--log-file="$dir/munged.log" --seed-file="$dir/munged.seed"
slurmctld
slurmd -N "$host"

# state JOB is the states of a job's tasks, each once.
state() { squeue -h -t all -j "$1" -o %T | sort -u | tr '\n' ' '; }

# files DIR are the files of a folder that may not be there yet.
files() { ls "$1" 2>/dev/null || true; }
# text FILE is that of a file that may not be there yet.
text() { cat "$1" 2>/dev/null || true; }

# until_prints TEXT COMMAND... waits until the command prints the text.
until_prints() {
	local want=$1 got
	shift
	for _ in $(seq 1500); do # five minutes
		got=$("$@")
		if [[ $got == *"$want"* ]]; then
			return
		fi
		sleep 0.2
	done
	fail "$*: $got, want $want"
}

cd "$dir/work"
cp -r "$OLDPWD/configs" .
script=$OLDPWD/scripts/cluster/mcvd.slurm
experiment="-c configs/tiny.yml --backend go --set train.steps=400 --set train.checkpoint_every=100"

echo "== what is right: the same commands without Slurm"
"$MCVD" train $experiment -o undisturbed
evaluation="undisturbed --backend go --clips 24 --trajectories 10 --frames 16 --batch 10 --metrics psnr,ssim,mmd"
"$MCVD" eval $evaluation --records whole >/dev/null
"$MCVD" eval merge whole -o whole.json >/dev/null

echo "== an evaluation in three shards, one of them cancelled"
job=$(sbatch --parsable --array=5-7 "$script" eval $evaluation --records shards --shard auto)
until_prints RUNNING state "${job}_6"
until_prints clips- files shards
scancel "${job}_6"
until_prints CANCELLED state "${job}_6"
until_prints COMPLETED state "${job}_7"
until_prints COMPLETED state "${job}_5"
squeue -t all -j "$job" -o "%.8i %.10T %.6M"
if "$MCVD" eval merge shards -o shards.json >/dev/null; then
	fail "the cancelled shard is not missing"
fi
job=$(sbatch --parsable --array=5-7 "$script" eval $evaluation --records shards --shard auto)
merge=$(sbatch --parsable --dependency=afterok:"$job" --output=merge.log --wrap "$MCVD eval merge shards -o shards.json")
until_prints COMPLETED state "$merge"
cmp whole.json shards.json || fail "the report of shards differs"
sha256sum whole.json shards.json

echo "== a training that comes near its time limit, and then has to make room"
# stops is how often the training was stopped, resumed how often it went on.
stops() { grep -c "stopped at step" train.log || true; }
resumed() { grep -c resuming train.log || true; }
job=$(sbatch --parsable --output=train.log "$script" train $experiment -o disturbed)
until_prints "train: step" text train.log
scancel --signal=USR1 --batch "$job" # what Slurm itself does before the limit
until_prints 1 stops
until_prints 1 resumed
scontrol requeue "$job" # what it does with a job that has to make room
until_prints 2 stops
until_prints 2 resumed
until_prints COMPLETED state "$job"
grep -h "stopped at\|resuming\|trained" train.log
for run in undisturbed disturbed; do
	(cd $run/checkpoints && sha256sum step-00000400.safetensors)
done
cmp {undisturbed,disturbed}/checkpoints/step-00000400.safetensors || fail "the checkpoints differ"

echo "== a training that fails is not queued again"
job=$(sbatch --parsable --output=bad.log "$script" train -c nowhere.yml -o bad)
until_prints FAILED state "$job"

echo "== a training that hangs is queued again"
cat >hangs <<'END'
#!/bin/sh
echo started >>starts
[ "$(wc -l <starts)" -gt 1 ] || exit 74
END
chmod +x hangs
job=$(MCVD=$PWD/hangs sbatch --parsable --output=hangs.log "$script" train)
until_prints COMPLETED state "$job"
[ "$(wc -l <starts)" -eq 2 ] || fail "started $(wc -l <starts) times, want 2"

scripts=$OLDPWD/scripts
export MCVD_MPI_DIR=${MCVD_MPI_DIR:-$dir/mpi}
"$scripts/install-mpi.sh" openmpi
"$scripts/install-mpi.sh" mpich
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
together="$experiment --set train.batch=4 --set train.steps=200 --set train.checkpoint_every=50"
"$MCVD_MPI_DIR/openmpi/bin/mpirun" --oversubscribe -n 2 "$MCVD" train $together -o ranks

# rank JOB is the process of rank 1.
rank() {
	local process
	for process in /proc/[0-9]*; do
		if [ "$process/exe" -ef "$MCVD" ] && grep -q -z -x "SLURM_JOB_ID=$1" "$process/environ" &&
			grep -q -z -x -E "(OMPI_COMM_WORLD|PMI|PMIX)_RANK=1" "$process/environ"; then
			echo "${process#/proc/}"
		fi
	done 2>/dev/null
}
# same RUN compares a run with that of two ranks that nothing disturbed.
same() {
	(cd "$1/checkpoints" && sha256sum step-00000200.safetensors)
	cmp {ranks,"$1"}/checkpoints/step-00000200.safetensors || fail "the checkpoints of ranks and $1 differ"
}

path=$PATH
for mpi in openmpi mpich; do
	export PATH=$MCVD_MPI_DIR/$mpi/bin:$path
	echo "== two ranks of $mpi that come near their time limit, and then have to make room"
	: >train.log
	job=$(sbatch --parsable --ntasks=2 --output=train.log "$script" train $together -o $mpi)
	until_prints "train: step" text train.log
	scancel --signal=USR1 --batch "$job"
	until_prints 1 stops
	until_prints 1 resumed
	scontrol requeue "$job"
	until_prints 2 resumed
	until_prints COMPLETED state "$job"
	grep -h "ranks, by\|stopped at\|resuming\|trained" train.log
	same $mpi

	echo "== two ranks of $mpi, one of which is killed"
	: >train.log
	job=$(sbatch --parsable --ntasks=2 --output=train.log "$script" train $together -o $mpi-killed)
	until_prints step-00000050.safetensors files $mpi-killed/checkpoints
	kill -KILL $(rank "$job")
	killed=$SECONDS
	until_prints FAILED state "$job"
	took=$((SECONDS - killed))
	grep -h "ranks, by\|mcvd: \|signal\|Killed" train.log || true
	[ $took -le 30 ] || fail "the job ended after $took s, want at most 30"
	echo "it ended after $took s"
	job=$(sbatch --parsable --ntasks=2 --output=train.log "$script" train $together -o $mpi-killed)
	until_prints COMPLETED state "$job"
	[ "$(resumed)" -eq 1 ] || fail "it began anew"
	grep -h "resuming\|trained" train.log
	same $mpi-killed
done
export PATH=$path

echo "== tasks that don't see each other are refused"
job=$(sbatch --parsable --ntasks=2 --output=unseen.log --wrap "srun --mpi=none $MCVD train $together -o unseen")
until_prints FAILED state "$job"
grep -h -m 1 "they don't see each other" unseen.log || fail "they were not refused"
[ ! -e unseen ] || fail "they trained"

echo "passed"
