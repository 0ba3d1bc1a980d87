#!/bin/sh
# Makes the figures and the tables of docs/toys.md again: trains the toys, draws them, and scores every target and sampler by energy
# distance. Runs go to figures/, pictures to docs/, tables to the output. Trainings that are complete are not repeated. Call after `make build`: scripts/figures.sh
set -eu

mcvd=bin/mcvd
out=figures

toy() { # CONFIG RUN SETTINGS...
	config=$1 run=$out/$2
	shift 2
	$mcvd train -c configs/toy/"$config".yml -o "$run" --backend go "$@" >&2
}

# The two numbers that `mcvd points` prints: of what is generated, and expected of data.
distance() { $mcvd points "$@" --backend go | sed -n 's/.*points: \([0-9.]*\) .* data \([0-9.]*\)$/| \1 | \2 |/p'; }

toy scurve eps
toy moons moons
$mcvd points $out/eps --backend go -o docs/scurve.png >&2
$mcvd points $out/moons --backend go -o docs/moons.png >&2

echo "| sampler, 100 steps | energy distance | expected of data |"
echo "| --- | --- | --- |"
for sampler in $($mcvd list samplers | sed -n 's/^samplers *sampler.name *//p'); do
	echo "| \`$sampler\` $(distance $out/eps --sampler "$sampler")"
done
echo
echo "| target, \`ddpm\` | energy distance | expected of data |"
echo "| --- | --- | --- |"
for target in $($mcvd list targets | sed -n 's/^targets *diffusion.target *//p'); do
	toy scurve "$target" --set diffusion.target="$target"
	echo "| \`$target\` $(distance $out/"$target")"
done
