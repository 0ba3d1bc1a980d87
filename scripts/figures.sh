#!/bin/sh
# Makes the figures and the tables of docs/toys.md again: trains the toys, draws them, and scores every target and sampler by energy
# distance. Then it scores every sampler on the demo's model, for docs/samplers.md. Runs and reports go to figures/, pictures to docs/,
# tables to the output. Trainings and evaluations that are complete are not repeated. Call after `make build` and `make demo`: scripts/figures.sh
set -eu

mcvd=bin/mcvd
out=figures

toy() { # CONFIG RUN SETTINGS...
	config=$1 run=$out/$2
	shift 2
	$mcvd train -c configs/toy/"$config".yml -o "$run" --backend go "$@" >&2
}

# The two numbers that `mcvd points` prints: of what is generated, and expected of data.
distance() {
	if ! text=$($mcvd points "$@" --backend go 2>&1); then
		case $text in
		*"are not finite"*) echo "| diverges | |" && return ;;
		*) echo "$text" >&2 && return 1 ;;
		esac
	fi
	echo "$text" | sed -n 's/.*points: \([0-9.]*\) .* data \([0-9.]*\)$/| \1 | \2 |/p' | grep .
}

toy scurve eps
toy moons moons
$mcvd points $out/eps --backend go -o docs/scurve.png >&2
$mcvd points $out/moons --backend go -o docs/moons.png >&2

echo "| sampler, 100 steps | energy distance | expected of data |"
echo "| --- | --- | --- |"
for sampler in $($mcvd list samplers | sed -n 's/^samplers *sampler.name *consistency//p'); do # which is for students
	cells=$(distance $out/eps --sampler "$sampler")
	echo "| \`$sampler\` $cells"
done
echo
echo "| target, \`ddpm\` | energy distance | expected of data |"
echo "| --- | --- | --- |"
for target in $($mcvd list targets | sed -n 's/^targets *diffusion.target *//p'); do
	toy scurve "$target" --set diffusion.target="$target"
	cells=$(distance $out/"$target")
	echo "| \`$target\` $cells"
done

echo
if [ -f demo/run/config.yml ]; then
	scripts/bench/samplers.py demo/run --budgets 5,10,12,20,50,100 --metrics psnr,ssim,digit --reports $out/samplers --plot docs/samplers.svg \
		-- --frames 2 --clips 8 --backend go
else
	echo "docs/samplers.svg is left as it is: it needs demo/run, which \`make demo\` trains" >&2
fi
