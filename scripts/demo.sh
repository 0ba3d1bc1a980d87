#!/bin/sh
# The main job from end to end: writes a folder of small MP4s, trains on it, generates videos with the model, and scores them on clips
# held out from training. Everything goes into demo/. Call after `make build`: scripts/demo.sh
set -eu

mcvd=bin/mcvd
out=demo
run=$out/run

echo "== clips of a moving digit, as MP4s"
for split in train:300 valid:8 test:24; do
	folder=$out/clips/${split%:*}
	if [ ! -d "$folder" ]; then
		rm -rf "$folder.part" # of a run that was interrupted
		$mcvd data export -c configs/demo-clips.yml --split "${split%:*}" --clips "${split#*:}" --frames 50 -o "$folder.part" >/dev/null
		mv "$folder.part" "$folder"
	fi
done

echo "== training on $out/clips/train"
$mcvd train -c configs/demo.yml -o $run

echo "== videos from held-out clips"
$mcvd predict $run --frames 8 --clips 4 --format mp4,gif -o $out/predict >/dev/null
$mcvd interpolate $run --frames 2 --clips 4 -o $out/interpolate >/dev/null
$mcvd generate $run --frames 8 --clips 4 -o $out/generate >/dev/null

echo "== scores on held-out clips"
# digit is the share of frames that show the right digit. lpips and fvd are left out where their weights aren't installed.
score() { $mcvd eval $run --clips 24 --trajectories 3 --metrics "$@"; }
installed() { ! $mcvd weights list | grep -q "^$1 .*not installed"; }
more=
if installed lpips-alex; then more=,lpips; fi
if installed i3d; then more=$more,fvd; fi
score psnr,ssim,digit$more --task predict --frames 2 -o $out/predict.json
score psnr,ssim,digit --task predict --frames 8 -o $out/predict-8.json --html $out/page.html
score psnr,ssim,digit --task interpolate --frames 2 -o $out/interpolate.json

echo "== look at"
cat <<END
$out/predict/predict.png               contact sheets: given frames blue, generated ones orange
$out/interpolate/interpolate.png
$out/generate/generate.png
$out/page.html                         scores of 8 predicted frames with curves, and the best and the worst clip as videos
$out/predict/predict-0000.mp4          a video: given frames, then predicted ones
$out/predict/predict-0000-beside.mp4   real left, predicted right
$run/samples                       what the model generated while it was trained
END
