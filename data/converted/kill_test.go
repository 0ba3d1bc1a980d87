package converted

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sealed ends the text of an index with its checksum.
func sealed(text []byte) []byte {
	return fmt.Appendf(nil, "%s\ncrc32c %08x\n", text, crc32.Checksum(text, castagnoli))
}

const killed = "MCVD_TEST_CONVERT" // the folder that a process of TestKilledConversions writes

// TestMain converts instead of testing, where this process is to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(killed)
	if dir == "" {
		os.Exit(m.Run())
	}
	if _, err := Convert(context.Background(), dir, source(0), 2, quiet, func(done, of int) {
		fmt.Println(done) // the parent kills at one of these lines
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A conversion that is killed ten times in the middle ends with the bytes of one that was left
// alone.
func TestKilledConversions(t *testing.T) {
	want := contents(t, made(t, source(0)))
	dir := filepath.Join(t.TempDir(), "store")
	for kill := 1; kill <= 11; kill++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killed+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n+1 == kill && kill <= 10 {
				cmd.Process.Kill()
			}
		}
		if err := cmd.Wait(); (err == nil) != (kill == 11) {
			t.Fatalf("process %d ended with %v", kill, err)
		}
	}
	equal(t, contents(t, dir), want)
}
