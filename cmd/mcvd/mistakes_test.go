package main

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// mistakes are command lines, their status, and what is said. 2 is the status of what the command line
// shows by itself, 1 of everything else.
var mistakes = []struct {
	args   string
	status int
	want   string
}{
	{"nonsense", 2, `unknown command "nonsense"`},
	{"config nonsense", 2, `unknown command "nonsense"`},
	{"trian", 2, `unknown command "trian" for "mcvd"; did you mean train? (`},
	{"data peak", 2, `unknown command "peak" for "mcvd data"; did you mean peek? (`},
	{"train --nonsense", 2, "unknown flag: --nonsense"},
	{"train", 2, "no run folder"},
	{"train -n", 2, "no configuration"},
	{"train a -o b", 2, "two run folders"},
	{"train missing", 1, "missing: no such run folder"},
	{"train empty", 1, "empty: not a run folder"},
	{"train text.mp4", 1, "text.mp4: not a folder, want a run folder"},
	{"train -c configs/tiny.yml -o text.mp4", 1, "text.mp4: can't be a run folder, because text.mp4 is not a folder"},
	{"train -c configs/tiny.yml -o text.mp4/new", 1, "text.mp4/new: can't be a run folder, because text.mp4 is not a folder"},
	{"train -c missing.yml -o new", 1, "missing.yml"},
	{"train -c configs/tiny.yml -o new --set model.width=none", 2, `model.options.width`},
	{"train -c configs/tiny.yml -o new --set model.network=vit", 2, `model.network: unknown "vit" (known: `},
	{"train -c configs/tiny.yml -o new --set sampler.name=x", 2, `sampler.name: unknown "x" (known: consistency, ddim`},
	{"train -c configs/tiny.yml -o new --set optimizer.name=sgd", 2, `optimizer.name: unknown "sgd" (known: adam, adamw)`},
	{"train -c configs/tiny.yml -n --set optimizer.schedule=steps", 2, `optimizer.schedule: unknown "steps" (known: constant, cosine, linear)`},
	{"train -c configs/tiny.yml -o new --set data.name=x --set data.path=x", 2, `data.name: unknown "x"`},
	{"train -c configs/tiny.yml -o new --backend abacus", 2, `--backend abacus: want one of auto, go`},
	{"train -c configs/tiny.yml -o run --set model.width=16", 1, "model.options.width: 8 -> 16"},
	{"train -c configs/tiny.yml -o new --set data.path=nowhere/", 1, `override "data.path=nowhere/": data.path: "nowhere/" has no effect because data.name is digits`},
	{"config check configs/tiny.yml --set data.fps=5", 1, `override "data.fps=5": data.fps: 5 has no effect because data.name is digits`},
	{"train -c configs/demo.yml -o new --set data.path=empty", 1, "no videos in it"},
	{"train -c configs/tiny.yml -o new --set train.teacher=run --set diffusion.target=v", 1, "sampler.last_denoise: true, want false"},
	{"distill", 2, "0 arguments, want a run folder"},
	{"distill run", 2, "no folder for the students: give --out DIR"},
	{"distill run -o new --from 6", 2, "--from 6: halving it doesn't lead to --until 1, want 1 times 2, 4, 8"},
	{"distill run -o new --from 4 --until 4", 2, "--from 4: halving it doesn't lead to --until 4"},
	{"distill run -o new --until 5", 1, "--until 5: run samples in 5 steps; give --from"},
	{"distill run -o new --kind some", 2, "--kind some: want one of consistency, progressive"},
	{"distill run -o new --kind consistency --from 3 --until 4", 2, "--from 3: want 4 or more steps of a teacher whose student takes --until 4"},
	{"distill run -o new --kind consistency", 1, "train.teacher: a network that predicts eps can't be distilled into few steps"},
	{"distill missing -o new", 1, "missing: no such run folder"},
	{"distill run -o new", 1, "train.teacher: a network that predicts eps can't be distilled into few steps"},
	{"distill run -o new --from 128", 1, "--from 128: want at most 100 steps, the noise levels of run (diffusion.steps)"},
	{"distill run -o new --set diffusion.target=v", 1, `diffusion.target: "eps" -> "v"`},
	{"distill run -o new --set sampler.steps=3", 1, "mcvd distill gives each student its own sampler.steps"},
	{"distill run -o new --set model.width=none", 2, "model.options.width"},
	{"distill run -o run/samples", 1, "--out run/samples: lies among the files of the run "},
	{"predict", 2, "0 arguments, want a run folder"},
	{"predict missing", 1, "no such run folder"},
	{"predict run --clips 0", 2, "--clips 0: want 1 to 1000000"},
	{"predict run --frames -1", 2, "--frames -1: want 1 to 1000000"},
	{"predict run --frames 0", 2, "--frames 0: want 1 to 1000000"},
	{"generate run --clips 99999999999", 2, "--clips 99999999999: want 1 to 1000000"},
	{"predict run --batch 99999999999", 2, "--batch"},
	{"predict run --trajectories 99999999999", 2, "--trajectories"},
	{"predict run --scale 9999", 1, "enlarged 9999 times"},
	{"predict run --scale 700", 1, "frames of 34x16"},
	{"predict run --fps 1000 --format gif", 2, "1000 frames a second, want 0.001 to 100"},
	{"predict run --video text.mp4 --start Inf", 2, "--start +Inf"},
	{"predict run --advance 3 --frames 4", 1, "advance 3 frames a window, want 1 to 2"},
	{"predict run --format avi", 2, `--format avi: unknown "avi", want some of png, gif, mp4`},
	{"predict run --quality best", 2, "--quality best: want one of share, lossless"},
	{"predict run --fps 0", 2, "--fps 0"},
	{"predict run --fps NaN", 2, "--fps NaN"},
	{"predict run --start 2", 2, "--start 2"},
	{"predict run --sampler magic", 2, `sampler.name: unknown "magic"`},
	{"predict run --steps 1000", 1, "sampler.steps: 1000"},
	{"predict run --eta 0.5 --sampler ddpm", 2, "sampler.options.eta: 0.5 has no effect because sampler.name is ddpm"},
	{"predict run --checkpoint none.safetensors", 1, "none.safetensors"},
	{"predict run --video missing.mp4", 1, "missing.mp4"},
	{"predict run --video text.mp4", 1, "text.mp4"},
	{"predict run --video empty", 1, "empty"},
	{"interpolate run --frames 1", 1, "a gap of 1 frames is shorter than the model's block"},
	{"generate run --video text.mp4", 2, "unknown flag: --video"},
	{"eval run --task guess", 2, "--task guess: want one of predict"},
	{"eval run --split dev", 2, "--split dev: want one of train"},
	{"eval run --clips-file list.json --clips 3", 2, "--clips has no effect with --clips-file, whose list says it"},
	{"eval run --clips-file list.json --split test", 2, "--split has no effect with --clips-file, whose list says it"},
	{"eval run --clips-file configs/tiny.yml", 1, "--clips-file: configs/tiny.yml: not a list of clips, as `mcvd data clips` writes one"},
	{"eval run --clips-file missing.json", 1, "--clips-file: stat missing.json: no such file"},
	{"data clips run", 2, "no file for the list: give --out FILE.json"},
	{"data clips missing -o list.json", 1, "missing"},
	{"data clips run -o list.json --set data.size=8", 1, "data.size=8: can't be changed for weights that are trained"},
	{"eval run --clips 0", 2, "--clips 0"},
	{"eval run --frames 99999999999", 2, "--frames"},
	{"eval run --metrics psnr,beauty", 2, `--metrics psnr,beauty: unknown "beauty", want some of psnr`},
	{"eval run --task generate --metrics psnr", 1, "metric psnr: compares each video with the real one in its place, which a video of the task generate does not have; ask for other metrics"},
	{"eval run --task generate --metrics mmd,ssim", 1, "metric ssim: compares each video"},
	{"eval run --clips 1 --metrics psnr,mmd", 1, "metric mmd: needs 2 clips or more, got 1"},
	{"eval run --clips 1 --metrics psnr,lpips --weights empty", 1, "metric lpips: no weights (empty/lpips-alex.safetensors): `scripts/install-weights.sh lpips` gets them"},
	{"eval run --clips 1 --task generate --weights empty", 1, "metric psnr: compares each video"},
	{"eval run --seeds 1,x", 2, `--seeds 1,x: "x", want an integer from 0 to 18446744073709551615, or several`},
	{"eval run --seeds 1,2 --seeds 2", 2, "--seeds 2: 2 is there twice"},
	{"eval run --seeds=", 2, `--seeds "": "", want an integer`},
	{"eval run --windows some", 2, "--windows some: want one of adaptive, autoregressive, bidirectional, bridge"},
	{"data peek -c configs/tiny.yml --masks", 2, "--masks needs --sample N"},
	{"train -c configs/tiny.yml -n --set frames.mask.kind=some", 2, `frames.mask.kind: unknown "some" (known: blocks, ends, first, frames, key, last)`},
	{"predict run --given 0", 2, "--given 0: want TIME=FILE"},
	{"predict run --given 0=text.mp4 --given 0=b.png", 2, "frame 0 is there twice"},
	{"predict run --given 9=a.png --frames 9", 2, "--given 9=a.png: want 0 to 8, the frames of the video"},
	{"predict run --given 0=a.png", 2, "none is left to generate"},
	{"predict run --given 2=a.png --windows mixed", 2, "--windows has no effect with --given"},
	{"predict run --given 2=missing.png", 1, "missing.png"},
	{"predict run --given 2=text.mp4", 1, "text.mp4"},
	{"train -c configs/tiny.yml -n --set frames.times.kind=random --set frames.times.span=15", 1, "frames.times.kind: random, want consecutive, because the network isn't told when frames were taken"},
	{"train -c configs/tiny.yml -n --set frames.times.span=15", 1, "frames.times.span: 15 has no effect because frames.times.kind is consecutive"},
	{"train -c configs/tiny.yml -n --set model.options.frame_times=true --set frames.times.kind=strides --set frames.times.span=10", 2, "frames.times.span: 10, want 11 or more, so that clips of 6 frames differ in their times"},
	{"windows show --schedule adaptive --task retrodict", 2, `--schedule: windows "adaptive": not for the task retrodict, only for predict, interpolate, generate`},
	{"windows show --schedule bridge", 2, `--schedule: windows "bridge": not for the task predict, only for interpolate`},
	{"windows show --schedule hierarchy2 --future 0", 1, "5 past and 0 future frames (frames.past, frames.future)"},
	{"windows show --frames 1001", 2, "--frames 1001: want 1 to 1000"},
	{"windows show --advance 6", 1, "advance 6 frames a window, want 1 to 5"},
	{"windows show -o windows.txt", 2, "--out windows.txt: want a path that ends in .png"},
	{"eval run --windows bridge", 2, `--windows "bridge": not for the task predict, only for interpolate`},
	{"predict run --windows bridge", 2, "only for interpolate"},
	{"interpolate run --windows bridge --frames 1", 1, "shorter than the model's block"},
	{"eval run --records text.mp4 --clips 1", 1, "--records: mkdir text.mp4: not a directory"},
	{"eval run --shard 1/3", 2, "--shard 1/3: needs --records"},
	{"eval run --shard 3/3 --records new", 2, "want i/n with i from 0 to n-1"},
	{"eval run --shard auto --records new", 2, "no scheduler's variables are set"},
	{"eval run --shard 0/2 --records new -o report.json", 2, "eval merge"},
	{"eval run --clips 1 -o run/config.yml", 1, "--out run/config.yml: lies in the run folder, run, whose files are its own"},
	{"eval merge", 2, "0 arguments, want a folder of records"},
	{"eval merge empty", 1, "empty: no records of an evaluation"},
	{"eval run -o text.mp4/report.json --clips 1", 1, "--out text.mp4/report.json: not a directory"},
	{"eval run --set model.width=8", 2, "--set model.width=8: can't be changed for weights that are trained"},
	{"eval run --set data.name=folder --set data.path=empty", 1, "no videos in it"},
	{"predict run -o text.mp4/new", 1, "--out text.mp4/new: not a directory"},
	{"predict run -o run", 1, "--out run: lies among the files of the run "},
	{"predict run -o ./run/checkpoints/new", 1, "lies among the files of the run "},
	{"interpolate run -o run/samples", 1, "lies among the files of the run "},
	{"generate run -o pointer", 1, "--out pointer: lies among the files of the run "},
	{"data peek -c configs/tiny.yml -o run/peek.png", 1, "--out run/peek.png: lies among the files of the run "},
	{"data export -c configs/tiny.yml -o run", 1, "--out run: lies among the files of the run "},
	{"eval run --clips 1 --records run", 1, "--records run: lies among the files of the run "},
	{"eval merge empty -o run/a.json", 1, "lies among the files of the run "},
	{"predict run --devices 3", 2, "--devices 3: share a batch of 4 videos, want a batch that is a multiple of the devices"},
	{"predict run --clips 9 --batch 6 --devices 4", 2, "--devices 4: share a batch of 6 videos"},
	{"generate run --clips 1 --devices 2", 2, "--devices 2: share a batch of 1 video,"},
	{"eval run --clips 5 --devices 2", 1, "--devices 2: share a batch of 5 videos"},
	{"train -c configs/demo.yml -o new --set data.path=empty --set train.devices=3", 1, "train.devices: 3, want a divisor of train.batch, which is 8"},
	{"train -c configs/demo.yml -o new --set data.path=empty --set train.batch=1024 --set train.devices=1024 --backend go", 1, "train.devices: 1024 devices, but this backend has 1"},
	{"predict run --video text.mp4 --clips 2", 2, "--clips has no effect with --video"},
	{"predict run --video text.mp4 --set data.path=empty", 2, "--video, --set data.path=empty has no effect"},
	{"predict run --set data.size=8", 2, "--set data.size=8: can't be changed"},
	{"generate run --set data.path=empty", 2, "unknown flag: --set"},
	{"import", 2, "0 arguments, want a checkpoint"},
	{"import checkpoint.pt", 2, "no run folder: give --out DIR"},
	{"import checkpoint.pt -o new", 1, "checkpoint.pt: says nothing of its configuration: give --config FILE"},
	{"import missing.pt -c config.yml -o new", 1, "missing.pt: no such file"},
	{"import empty -c config.yml -o new", 1, "empty: not a regular file"},
	{"import text.mp4 -c config.yml -o new", 1, "text.mp4: "},
	{"import checkpoint.pt -c missing.yml -o new", 1, "missing.yml"},
	{"import checkpoint.pt -c text.mp4 -o new", 1, "text.mp4"},
	{"import checkpoint.pt -c configs/tiny.yml -o new", 1, "checkpoint.pt: a schedule of 1000 steps, the configuration (diffusion.steps, model.num_classes) says 100"},
	{"import checkpoint.pt -c config.yml -o new --set diffusion.beta_end=0.03", 1, "checkpoint.pt: another schedule than the configuration's"},
	{"import checkpoint.pt -c config.yml -o new --set model.width=12", 1,
		"times channels; the configuration says concat, width 12, 2 current frames and 3 of past and future, times channels:\n  unet.all_modules.0.weight: shape [32 8], want [48 12]"},
	{"import checkpoint.pt -c config.yml -o new --set model.width=none", 2, "model.options.width"},
	{"import checkpoint.pt -c config.yml -o new --set sampler.name=x", 2, `sampler.name: unknown "x" (known: consistency, ddim`},
	{"import checkpoint.pt -c config.yml -o new --set data.name=x --set data.path=x", 2, `data.name: unknown "x"`},
	{"import checkpoint.pt -c config.yml -o run", 1, "run: holds a run already; use another folder"},
	{"import checkpoint.pt -c config.yml -o text.mp4", 1, "text.mp4 is not a folder"},
	{"import checkpoint.pt -c config.yml -o text.mp4/new", 1, "text.mp4 is not a folder"},
	{"export", 2, "0 arguments, want a run folder"},
	{"export run", 2, "no file to write: give --out FILE.safetensors"},
	{"export run -o new --names theirs", 2, "--names theirs: want one of own, published"},
	{"export run -o new --weights best", 2, "--weights best: want one of ema, model, all"},
	{"export run -o new --weights all --names published", 2, "--weights all: a published state dict holds one set of weights"},
	{"export missing -o new", 1, "missing: no such run folder"},
	{"export run -o new --checkpoint none.safetensors", 1, "none.safetensors"},
	{"export run -o new --checkpoint text.mp4", 1, "text.mp4"},
	{"export missing -o missing/new", 1, "no such run folder"},
	{"export run -o text.mp4/new", 1, "--out text.mp4/new: "},
	{"export run -o empty", 1, "empty: not a regular file"},
	{"export run -o run/checkpoints/step-00000001.safetensors", 1, "lies in the run folder"},
	{"export run -o run/config.yml", 1, "lies in the run folder"},
	{"config check missing.yml", 1, "missing.yml"},
	{"config show", 2, "0 arguments, want one file"},
	{"config translate configs/tiny.yml", 1, "configs/tiny.yml: not in the published schema, which has sections such as training and sampling"},
	{"config translate config.yml --set model.width=none", 2, `override "model.width=none"`},
	{"config translate missing.yml", 1, "missing.yml"},
	{"config translate", 2, "0 arguments, want one file"},
	{"weights import", 2, "0 arguments, want one file or more"},
	{"weights import text.mp4", 2, "no network: give --as NAME, one of i3d, inception, lpips-alex, lpips-vgg"},
	{"weights import text.mp4 --as vgg", 2, "want one of i3d, inception, lpips-alex, lpips-vgg"},
	{"weights import text.mp4 --as i3d", 1, "text.mp4: neither a zip file nor a pickle of protocol 2 or later"},
	{"weights import checkpoint.pt --as i3d", 1, "checkpoint.pt: no weights of i3d in it, but "},
	{"weights list resnet", 2, `unknown network "resnet" (known: i3d`},
	{"list colours", 2, "colours: want one of averages"},
	{"bench", 2, "no configuration: give --config FILE"},
	{"bench -c configs/tiny.yml --what speed", 2, "--what speed: want one of loader, matmul, sample, train, all"},
	{"bench -c configs/tiny.yml --what matmul", 2, "--what matmul: a configuration has no effect"},
	{"data peek", 2, "no configuration"},
	{"data peek -c configs/tiny.yml --clips 0", 2, "--clips 0"},
	{"data peek -c configs/tiny.yml --frames 99999999999", 2, "--frames"},
	{"data peek -c configs/tiny.yml -o config.yml/peek.png", 1, "config.yml: not a directory"},
	{"data export -c configs/tiny.yml", 2, "no folder"},
	{"train -c configs/tiny.yml -o full", 1, "full: not a run folder, because it holds notes.txt; want a new or empty folder"},
	{"train -n -c configs/tiny.yml -o full", 1, "full: not a run folder"},
	{"train -n -c configs/tiny.yml -o run --set model.width=16", 1, "run: holds another experiment"},
	{"train -n -c configs/tiny.yml -o text.mp4", 1, "text.mp4 is not a folder"},
	{"import checkpoint.pt -c config.yml -o full", 1, "full: not a run folder"},
	{"eval run --clips 1 --records new -o new", 1, "--out new: lies in the folder of records, new, whose files are its own"},
	{"eval run --clips 1 --records new/records -o ./new/../new/records", 1, "lies in the folder of records"},
	{"eval run --clips 1 --records full/new -o link/new", 1, "--out link/new: lies in the folder of records, full/new"},
	{"eval run --clips 1 --records link/new -o full/new/evaluation.json", 1, "lies in the folder of records"},
	{"eval merge full -o link/report.json", 1, "lies in the folder of records"},
	{"export run -o link/../run/x", 1, "lies in the run folder"},
	{"eval run --clips 1 --weights missing", 1, "--weights missing: no such folder"},
	{"eval run --clips 1 --weights text.mp4", 1, "--weights text.mp4: no such folder"},
	{"predict run again", 2, "2 arguments, want a run folder"},
	{"config show a b c", 2, "3 arguments, want one file"},
	{"list a b", 2, "2 arguments"},
	{"predict run --seed -1", 2, "--seed -1: want an integer from 0 to 18446744073709551615"},
	{"predict run --seed x", 2, "--seed x: want an integer from 0"},
	{"predict run --eta much", 2, "--eta much: want a number"},
	{"predict run --eta 7", 2, "sampler.options.eta: 7"},
	{"predict run --steps 0", 2, "sampler.steps: 0"},
	{"predict run --steps many", 2, "--steps many: want an integer"},
	{"predict run --precision float64", 2, `sampler.precision: "float64", want`},
	{"predict run --devices -1", 2, "--devices -1: want 0 to 1024"},
	{"predict run --format png --format png", 2, "png is there twice"},
	{"predict run --format mp4,gif,mp4", 2, "mp4 is there twice"},
	{"predict run --format=", 2, `--format "": unknown "", want some of`},
	{"predict run --backend abacus", 2, "--backend abacus: want one of auto, go"},
	{"predict run --backend abacus:1", 2, `--backend abacus:1: kind "abacus", want one of go`},
	{"predict run --video text.mp4 --set data.options.digits=1", 2, "--video, --set data.options.digits=1 has no effect"},
	{"predict run --video text.mp4 --set data.on_error=fail", 2, "--video, --set data.on_error=fail has no effect"},
	{"eval run --metrics=", 2, `--metrics "": unknown "", want some of psnr`},
	{"eval run --metrics psnr --metrics psnr", 2, "psnr is there twice"},
	{"data export -c configs/tiny.yml -o new --fps 0", 2, "--fps 0: want more than 0"},
	{"data peek -c configs/tiny.yml -o p.jpg", 2, "--out p.jpg: want a path that ends in .png"},
	{"data peek -c configs/tiny.yml --sample 0", 2, "--sample 0: want 1 to"},
	{"data peek -c configs/tiny.yml --sample 3 --split test", 2, "--split has no effect with --sample"},
	{"eval run --sampler unipc --option order=9", 2, "sampler.options.order: 9, want 1 to 3"},
	{"eval run --option order", 2, "--option order: want NAME=VALUE such as order=2"},
	{"eval run --option foo=9", 2, "sampler.options.foo: unknown key"},
	{"eval run --guidance frames --option scale=2", 2, "sampler.options.scale: unknown key, want one of eta; options of guidance frames: future_scale, momentum, norm, parallel, past_scale,"},
	{"eval run --spacing even", 2, `sampler.spacing: unknown "even"`},
	{"data stats", 2, "no configuration"},
	{"data stats -c configs/tiny.yml --videos 0", 2, "--videos 0: want 1 to 20000"},
	{"data stats -c configs/tiny.yml --plot x.jpg", 2, "--plot x.jpg: want a path that ends in .png"},
	{"data stats -c configs/tiny.yml --json run/stats.json", 1, "--json run/stats.json: lies among the files of the run "},
	{"data stats -c configs/demo.yml --set data.path=empty", 1, "no videos in it"},
	{"data help nothing", 1, `data.name: unknown "nothing"`},
	{"data help a b", 2, "2 arguments"},
	{"data peek -c configs/tiny.yml --split all", 2, "--split all: want one of train, valid, test"},
	{"config check configs/tiny.yml --set data.size", 2, `override "data.size": no equals sign`},
	{"config check configs/tiny.yml --set diffusion.schedule=cosine --set diffusion.options.beta_end=0.1", 2, "has no effect because diffusion.schedule is cosine"},
	{"config check configs/tiny.yml --set sampler.steps=101", 1, "sampler.steps: 101, want at most diffusion.steps, which is 100"},
	{"config check configs/tiny.yml --set sampler.steps=101 --set diffusion.steps=99", 2, "sampler.steps: 101, want at most diffusion.steps, which is 99"},
}

// Mistakes are one line that names what is wrong, and leave no file.
func TestMistakes(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir("full", 0o755), os.WriteFile("full/notes.txt", nil, 0o644), os.Symlink("full", "link"), os.Symlink("run", "pointer")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("text.mp4", []byte("no video\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	copyFixture(t)
	before := listing(t)
	for _, tt := range mistakes {
		status, _, stderr := call(t, strings.Fields(tt.args)...)
		if status != tt.status || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("mcvd %s: status %d, want %d; says %q, want %q in it", tt.args, status, tt.status, stderr, tt.want)
		}
	}
	if after := listing(t); after != before {
		t.Errorf("mistakes left files:\n%s\nbefore:\n%s", after, before)
	}
}

// An empty argument, as of a shell's variable that is not set, is no path.
func TestEmptyArgumentsAreMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"data", "verify", ""}, {"data", "convert", "", "store"}, {"data", "convert", "clips", ""}, {"predict", ""}} {
		if status, _, stderr := call(t, args...); status != 2 || !strings.Contains(stderr, "an empty argument, want ") {
			t.Errorf("mcvd %q: status %d, want 2; says %q", args, status, stderr)
		}
	}
}

// Without the run, the configuration and the checkpoint that it names, a wrong command line is the same
// mistake. --set and the flags of the sampler are the exception: they are read over a file's settings.
func TestWrongCommandLinesAreSeenWithoutAnyFile(t *testing.T) {
	t.Chdir(t.TempDir())
	seen := 0
	for _, tt := range mistakes {
		if tt.status != 2 || strings.Contains(tt.want, "override") || strings.Contains(tt.args, "--set") || strings.Contains(tt.want, "sampler.") {
			continue
		}
		seen++
		if status, _, stderr := call(t, strings.Fields(tt.args)...); status != 2 || !strings.Contains(stderr, tt.want) {
			t.Errorf("mcvd %s: status %d, want 2; says %q, want %q in it", tt.args, status, stderr, tt.want)
		}
	}
	if seen < 50 {
		t.Errorf("only %d command lines tried", seen)
	}
}
