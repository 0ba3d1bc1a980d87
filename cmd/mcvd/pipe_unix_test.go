//go:build unix

package main

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unopened are command lines in which BAD stands for a named pipe or a device, under whatever name.
var unopened = []string{
	"train -c BAD -o new",
	"train -c base-BAD.yml -o new",
	"train BAD",
	"train -c configs/tiny.yml -o BAD",
	"train -c configs/tiny.yml -o new --set train.teacher=BAD --set sampler.last_denoise=false --set sampler.name=ddim --set diffusion.target=v --set train.distillation=progressive --set sampler.steps=10",
	"distill BAD -o new",
	"predict BAD",
	"predict run --checkpoint BAD",
	"predict run --video BAD.mp4",
	"predict run --video BAD.png",
	"predict run --given 0=BAD.png --frames 3",
	"predict run --given 0=BAD.mp4 --frames 3",
	"predict run --guidance autoguidance --option checkpoint=BAD",
	"predict run --set data.name=folder --set data.path=BAD",
	"predict run -o BAD",
	"eval run --clips-file BAD",
	"eval run --clips 1 --metrics psnr --records BAD",
	"eval run --clips 1 --metrics psnr --weights BAD",
	"eval run --clips 1 --metrics psnr -o BAD",
	"eval compare BAD BAD",
	"eval report BAD -o page.html",
	"eval merge BAD",
	"eval features BAD BAD",
	"bits run --checkpoint BAD",
	"export run --checkpoint BAD -o out.safetensors",
	"export run -o BAD.safetensors",
	"import BAD -c config.yml -o new",
	"import checkpoint.pt -c BAD -o new",
	"weights import BAD --as lpips-alex -o out.safetensors",
	"config check BAD",
	"config check base-BAD.yml",
	"config show BAD",
	"config translate BAD",
	"windows show BAD",
	"bench --what train -c BAD",
	"sample-plan BAD",
	"points BAD",
	"plot BAD -o plot.png",
	"watch BAD",
	"report BAD -o page.html",
	"data peek -c BAD -o peek.png",
	"data peek -c configs/tiny.yml -o BAD.png",
	"data peek -c configs/demo.yml --set data.path=BAD -o peek.png",
	"data peek -c configs/demo.yml --set data.path=folder-BAD --set data.on_error=fail -o peek.png",
	"data peek -c configs/tiny.yml --set data.name=store --set data.path=BAD -o peek.png",
	"data convert BAD out",
	"data convert configs/tiny.yml BAD",
	"data verify BAD",
	"data stats -c BAD",
	"data export -c configs/tiny.yml -o BAD",
	"data clips BAD -o list.json",
}

// Opening a named pipe would wait for somebody who writes into it, and a device may have no end. Each is
// refused with its name, wherever it is given, and none is replaced.
func TestPipesAndDevicesAreRefusedUnopened(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	copyFixture(t)
	for _, end := range []string{"", ".mp4", ".png", ".safetensors"} {
		if err := syscall.Mkfifo("pipe"+end, 0o600); err != nil {
			t.Skip(err)
		}
		if err := os.Symlink("/dev/zero", "device"+end); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"pipe", "device"} {
		err := errors.Join(os.WriteFile("base-"+bad+".yml", []byte("base: "+bad+"\n"), 0o644), os.Mkdir("folder-"+bad, 0o755), os.Mkdir("folder-"+bad+"/frames", 0o755),
			os.Link(bad+".mp4", "folder-"+bad+"/"+bad+".mp4"), os.Link(bad+".png", "folder-"+bad+"/frames/"+bad+".png"))
		if err != nil {
			t.Fatal(err)
		}
	}
	said := regexp.MustCompile(`(?i)not a regular file|not a folder|not a directory|no such folder|want a folder`)
	for _, line := range unopened {
		for _, bad := range []string{"pipe", "device"} {
			args := strings.Fields(strings.ReplaceAll(line, "BAD", bad))
			type end struct {
				status int
				stderr string
			}
			ended := make(chan end, 1)
			go func() {
				status, _, stderr := call(t, args...)
				ended <- end{status, stderr}
			}()
			select {
			case e := <-ended:
				if e.status != 1 || !strings.Contains(e.stderr, bad) || !said.MatchString(e.stderr) {
					t.Errorf("mcvd %s: status %d, says %q, want that %s is no regular file or folder", strings.Join(args, " "), e.status, e.stderr, bad)
				}
			case <-time.After(2 * time.Minute):
				t.Fatalf("mcvd %s: still waiting", strings.Join(args, " "))
			}
		}
	}
	for _, end := range []string{"", ".mp4", ".png", ".safetensors"} {
		for name, kind := range map[string]os.FileMode{"pipe": os.ModeNamedPipe, "device": os.ModeDevice} {
			if info, err := os.Stat(name + end); err != nil || info.Mode()&kind == 0 {
				t.Errorf("%s is now %v, %v", name+end, info, err)
			}
		}
	}
}
