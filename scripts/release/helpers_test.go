package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// smallClone is a clone with the parts of the real one that say which version it is, and a licence. It
// has no modules to link, so it builds in seconds.
func smallClone(t *testing.T) string {
	t.Helper()
	clone := t.TempDir()
	for from, to := range map[string]string{"LICENSE": "LICENSE", ".gitignore": ".gitignore", "cmd/mcvd/versions.go": "cmd/mcvd/versions.go"} {
		text, err := os.ReadFile(filepath.Join("../..", from))
		if err != nil {
			t.Fatal(err)
		}
		write(t, clone, to, string(text))
	}
	write(t, clone, "go.mod", "module mcvd\n\ngo 1.27\n")
	write(t, clone, "cmd/mcvd/main.go", "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(about(versions())) }\n")
	inGit(t, clone, "init", "--quiet")
	commitAll(t, clone)
	return clone
}

func write(t *testing.T, clone, name, text string) {
	t.Helper()
	file := filepath.Join(clone, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func commitAll(t *testing.T, clone string) {
	t.Helper()
	inGit(t, clone, "add", ".")
	inGit(t, clone, "commit", "--quiet", "-m", "a commit")
}

// inGit runs git as somebody whose settings don't matter.
func inGit(t *testing.T, clone string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}
