package access

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
)

// envIn is an environment with its contexts below dir.
func envIn(dir string) *console.Env {
	return &console.Env{Getenv: func(name string) string { return map[string]string{"HOME": dir}[name] }}
}

// storedIn writes a file with contexts, as a user or another program may, and returns
// its path.
func storedIn(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, ".config", "apitoken", "contexts.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConcurrentChangesLoseNoContext(t *testing.T) {
	defer func(before time.Duration) { lockWait = before }(lockWait)
	lockWait = 5 * time.Minute // for a slow disk
	e := envIn(t.TempDir())
	const n = 20
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			err := ChangeContexts(t.Context(), e, func(c *Contexts) error {
				c.Contexts[fmt.Sprint("c", i)] = Context{URL: "https://example.com", TokenFile: "/t"}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if c, err := ReadContexts(e); err != nil || len(c.Contexts) != n {
		t.Errorf("got %d contexts (%v), want %d", len(c.Contexts), err, n)
	}
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := storedIn(t, dir, good)
	refusal := errors.New("refused")
	if err := ChangeContexts(t.Context(), envIn(dir), func(c *Contexts) error { clear(c.Contexts); return refusal }); err != refusal {
		t.Errorf("got %v, want %v", err, refusal)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != good {
		t.Errorf("the file has %q (%v)", b, err)
	}
}

const good = `{"current": "a", "contexts": {"a": {"url": "https://example.com", "token_file": "/t"}}}`

// TestADamagedFileIsRefused: neither a call nor a change may take a damaged file for
// an empty one.
func TestADamagedFileIsRefused(t *testing.T) {
	for text, part := range map[string]string{
		"":                                  "is damaged",
		good[:40]:                           "is damaged",
		good + "{}":                         "is damaged",
		`[]`:                                "is damaged",
		`{"current": "", "tokens": {}}`:     `unknown field "tokens"`,
		`{"current": "b"}`:                  "names no context",
		`{"contexts": {"B": {}}}`:           "a name is invalid",
		`{"contexts": {"b": {}}}`:           "the context b",
		strings.Replace(good, `/t`, `t`, 1): "not absolute",
		strings.Replace(good, `"/t"`, `"/t", "ca_file": "t"`, 1):        "not absolute",
		strings.Replace(good, `"/t"`, `"/t", "token": "x"`, 1):          `unknown field "token"`,
		strings.Replace(good, `https://example.com`, `http://e.com`, 1): "would send the token unencrypted",
	} {
		dir := t.TempDir()
		path := storedIn(t, dir, text)
		_, err := ReadContexts(envIn(dir))
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v, want %q and the path", text, err, part)
		}
		change := ChangeContexts(t.Context(), envIn(dir), func(*Contexts) error { return nil })
		if b, _ := os.ReadFile(path); change == nil || string(b) != text {
			t.Errorf("%q: a change returned %v and left %q", text, change, b)
		}
	}
}

func TestContextsOpenToOthersAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := storedIn(t, dir, good)
	for _, c := range []struct {
		path string
		mode os.FileMode
	}{{path, 0o640}, {path, 0o602}, {filepath.Dir(path), 0o755}, {filepath.Dir(path), 0o770}} {
		before, err := os.Stat(c.path)
		if err != nil {
			t.Fatal(err)
		}
		os.Chmod(c.path, c.mode)
		if _, err := ReadContexts(envIn(dir)); err == nil || !strings.Contains(err.Error(), "is open to other users") {
			t.Errorf("%s with mode %o: got %v", c.path, c.mode, err)
		}
		os.Chmod(c.path, before.Mode())
	}
	if _, err := ReadContexts(envIn(dir)); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestNamesOfContextsHaveOneForm(t *testing.T) {
	for name, want := range map[string]bool{
		"prod": true, "a": true, "7": true, "eu-west-1": true, strings.Repeat("a", 32): true,
		"": false, "Prod": false, "-a": false, "a b": false, "a.b": false, "../a": false, "ä": false, "a\n": false, strings.Repeat("a", 33): false,
	} {
		if err := CheckName(name); (err == nil) != want {
			t.Errorf("CheckName(%q) = %v, want accepted: %v", name, err, want)
		}
	}
	token := "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	if err := CheckName(token); err == nil || strings.Contains(err.Error(), "AWrR") {
		t.Errorf("a token as a name: %v", err)
	}
}

// TestWithoutAFolderThereAreNoContexts: a service may run without HOME.
func TestWithoutAFolderThereAreNoContexts(t *testing.T) {
	e := &console.Env{Getenv: func(string) string { return "" }}
	if c, err := ReadContexts(e); err != nil || len(c.Contexts) != 0 {
		t.Errorf("got %v, %v", c, err)
	}
	if err := ChangeContexts(t.Context(), e, func(*Contexts) error { return nil }); err == nil {
		t.Error("a change without a folder succeeded")
	}
	relative := &console.Env{Getenv: func(name string) string { return map[string]string{"XDG_CONFIG_HOME": "here"}[name] }}
	if _, err := ReadContexts(relative); err == nil {
		t.Error("a relative XDG_CONFIG_HOME was accepted")
	}
}

// TestALinkedFileStaysALink: people keep such files under version control.
func TestALinkedFileStaysALink(t *testing.T) {
	dir := t.TempDir()
	path := storedIn(t, dir, good)
	target := filepath.Join(dir, "kept.json")
	if err := errors.Join(os.Rename(path, target), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	if err := ChangeContexts(t.Context(), envIn(dir), func(c *Contexts) error { c.Current = ""; return nil }); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(target); err != nil || !strings.Contains(string(b), `"current": ""`) {
		t.Errorf("the target has %q (%v)", b, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
}
