#!/bin/sh
# How fast a converted store is read, next to webdataset, mosaicml-streaming, PyAV and decord with the same clips.
# Call: [PYTHON=venv/bin/python] scripts/bench/store.sh [FOLDER]
#
# FOLDER, by default out/bench-store, gets 400 clips of 20 frames of 64x64 RGB of moving digits, as lossless MP4s, and what each
# side makes of them. Every side reads all clips from the kernel's cache, in turns of three rounds; a line is the median, in
# frames a second. Lines with "batches" are whole batches as training makes them. Peers that PYTHON lacks say so. Then come a store of 100,000 videos that is opened, and, where cgroups of
# version 1 can be made, a store of 1 GB that is read within 128 MB of memory.
#
#     python3 -m venv venv && venv/bin/pip install av decord webdataset mosaicml-streaming
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-out/bench-store}
python=${PYTHON:-python3}
make -s build
bench=$PWD/$folder/converted.test
batches=$PWD/$folder/data.test
mkdir -p "$folder"
GOEXPERIMENT=simd go test -c -o "$bench" ./data/converted
GOEXPERIMENT=simd go test -c -o "$batches" ./data

digits="configs/tiny.yml --set model.options.attention=[32] --set data.size=64 --set data.channels=3 --set data.options.color=random"
rgb="--set data.size=64 --set data.channels=3 --set data.options.valid=0 --set data.options.test=0 --splits train"
[ -d "$folder/mp4" ] || bin/mcvd data export -c $digits --clips 400 --frames 20 -o "$folder/mp4"
bin/mcvd data convert "$folder/mp4" "$folder/raw" $rgb
bin/mcvd data convert "$folder/mp4" "$folder/zstd" $rgb --compress zstd
bin/mcvd data convert $digits "$folder/large" --videos 4000 --frames 20 --splits train
bin/mcvd data convert configs/tiny.yml "$folder/many" --videos 100000 --frames 5 --splits train
[ -f "$folder/peers/shape.npy" ] || "$python" scripts/bench/store.py make "$folder/mp4" "$folder/peers"

own() { # PROGRAM STORE BENCHMARK: frames a second
	MCVD_BENCH_STORE=$PWD/$folder/$2 "$1" -test.run '^$' -test.bench "$3" -test.benchtime 1s |
		awk '/^Benchmark/ { for (i = 1; i < NF; i++) if ($(i + 1) == "frames/s") print $i }'
}

results=$folder/results
: >"$results"
for round in 1 2 3; do
	for store in raw zstd; do
		for fresh in true false; do
			for readers in 1 2; do
				echo "mcvd-$store-fresh=$fresh-readers=$readers $(own "$bench" $store "Epoch/fresh=$fresh/readers=$readers\$")" >>"$results"
			done
		done
		for ahead in 0 2; do
			echo "mcvd-$store-batches-ahead=$ahead $(own "$batches" $store "Batches/ahead=$ahead\$")" >>"$results"
		done
	done
	for peer in webdataset streaming pyav decord; do
		number=$("$python" scripts/bench/store.py $peer "$folder/peers" 2>/dev/null) || number=missing
		echo "$peer $number" >>"$results"
	done
done
for side in $(cut -d' ' -f1 "$results" | awk '!seen[$0]++'); do
	echo "$side $(grep "^$side " "$results" | cut -d' ' -f2 | sort -n | sed -n 2p) frames/s"
done
du -sm --exclude=.mcvd-cache "$folder/mp4" "$folder/raw" "$folder/zstd"

MCVD_BENCH_STORE=$PWD/$folder/many "$bench" -test.run '^$' -test.bench StartUp | grep ^Benchmark
group=/sys/fs/cgroup/memory/mcvd-bench-$$
if mkdir "$group" 2>/dev/null; then
	echo 134217728 >"$group/memory.limit_in_bytes"
	MCVD_BENCH_STORE=$PWD/$folder/large sh -c "echo \$\$ >$group/cgroup.procs; exec $bench -test.run '^\$' -test.bench Epoch -test.benchtime 2x" | grep ^Benchmark
	rmdir "$group"
fi
