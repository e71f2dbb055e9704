package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
)

// document is what the generators read: the same bytes that the service answers.
const document = "openapi.yaml"

// generated is one generator and the program that uses its client.
type generated struct {
	owner   string     // the program's tokens are of this user
	program string     // a file or a folder beside this file
	steps   [][]string // commands; the last one runs the program
}

// all returns the four generators. home is the folder of the engine.
func all(home string) map[string]generated {
	python := filepath.Join(home, "venv/bin/python")
	tool := func(name string) string { return filepath.Join(home, "node_modules/.bin", name) }
	return map[string]generated{
		"openapi-generator": {"generator-user", "openapi_generator.py", [][]string{
			{"java", "-jar", filepath.Join(home, "openapi-generator-cli.jar"), "generate", "-g", "python", "-i", document, "-o", ".", "--package-name", "og_client"},
			{python, "openapi_generator.py"},
		}},
		"openapi-python-client": {"python-user", "openapi_python_client.py", [][]string{
			{filepath.Join(home, "venv/bin/openapi-python-client"), "generate", "--path", document, "--meta", "none", "--output-path", "opc_client"},
			{python, "openapi_python_client.py"},
		}},
		"openapi-fetch": {"typescript-user", "openapi_fetch.mts", [][]string{
			{"ln", "-s", filepath.Join(home, "node_modules"), "node_modules"},
			{tool("openapi-typescript"), document, "-o", "api.d.ts"},
			{tool("tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "openapi_fetch.mts"},
			{"node", "openapi_fetch.mjs"},
		}},
		"oapi-codegen": {"go-user", "oapi_codegen", [][]string{
			{"mkdir", "api"},
			{"go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "api", "-o", "api/api.go", document},
			{"go", "run", "."},
		}},
	}
}

// TestGeneratedClientsWork compares what each program prints with what the service
// says of its tokens.
func TestGeneratedClientsWork(t *testing.T) {
	home := engines.Require(t, engines.Generators)
	s := start(t)
	for name, g := range all(home) {
		t.Run(name, func(t *testing.T) {
			output := s.run(t, g)
			entries := s.tokensOf(t, g.owner)
			if len(entries) != 2 || entries[0].State != "revoked" || entries[1].State != "revoked" {
				t.Fatalf("the service has the tokens %+v, want two revoked ones; the program printed\n%s", entries, output)
			}
			if got, want := strings.Fields(output), strings.Fields(expected(g.owner, entries)); !slices.Equal(got, want) {
				t.Errorf("the program printed\n%s\nwant\n%s", output, expected(g.owner, entries))
			}
		})
	}
}

// expected is what a program prints. The first token was active and the second was
// revoked when they were listed.
func expected(owner string, entries []httpapi.Entry) string {
	first, second := entries[0], entries[1]
	if first.Name != "first" {
		first, second = second, first
	}
	lines := map[string]string{first.ID: "listed " + first.ID + " first active\n", second.ID: "listed " + second.ID + " second revoked\n"}
	return fmt.Sprintf("created %s %s\ncaller %s\n%s%smore 0\nrecords 3\nthen not_found_revoked\n",
		first.ID, second.ID, owner, lines[entries[0].ID], lines[entries[1].ID])
}

// run generates the client in a new folder, runs the program there and returns its
// output.
func (s service) run(t *testing.T, g generated) string {
	t.Helper()
	dir := t.TempDir()
	copyTo(t, dir, g.program)
	if err := os.WriteFile(filepath.Join(dir, document), s.document, 0o600); err != nil {
		t.Fatal(err)
	}
	last := len(g.steps) - 1
	for _, step := range g.steps[:last] {
		command(t, dir, step)
	}
	return command(t, dir, append(slices.Clone(g.steps[last]), g.owner), "APITOKEN_URL="+s.url, "APITOKEN_TOKEN="+s.token)
}

// command runs a command in dir and returns its standard output.
func command(t *testing.T, dir string, args []string, env ...string) string {
	t.Helper()
	var errs strings.Builder
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Dir, c.Stderr = dir, &errs
	c.Env = append(append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=readonly", "GOWORK=off", "PYTHONDONTWRITEBYTECODE=1"), env...)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", filepath.Base(args[0]), err, tail(string(out)), tail(errs.String()))
	}
	return string(out)
}

// tail returns the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// copyTo copies a file, or the files of a folder, into dir.
func copyTo(t *testing.T, dir, program string) {
	t.Helper()
	files, err := filepath.Glob(program + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		files = []string{program}
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tokensOf returns the active and the revoked tokens of a user, in the order of a list.
func (s service) tokensOf(t *testing.T, owner string) []httpapi.Entry {
	t.Helper()
	c := httpapi.NewClient(s.url, secret.New(s.token), nil)
	page, err := c.List(t.Context(), httpapi.ListQuery{User: owner, States: []string{"active", "revoked"}})
	if err != nil {
		t.Fatal(err)
	}
	return page.Entries
}
