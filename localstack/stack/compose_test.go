package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// TestTheImageOfLocalStackCanBeReplaced: a newer image needs a token, which must not
// be in a file.
func TestTheImageOfLocalStackCanBeReplaced(t *testing.T) {
	compose, err := template.Read(top + "localstack/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	service := template.At(compose, "services", "localstack")
	if got := template.At(service, "image"); got != "${APITOKEN_LOCALSTACK_IMAGE:-localstack/localstack:4.14.0}" {
		t.Errorf("the image is %v", got)
	}
	environment := template.At(service, "environment").(object)
	if value, passed := environment["LOCALSTACK_AUTH_TOKEN"]; !passed || value != nil {
		t.Errorf("LOCALSTACK_AUTH_TOKEN: got %v, passed %t, want it passed on without a value", value, passed)
	}
	readme, err := os.ReadFile(top + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"`localstack/localstack:4.14.0`", "`LOCALSTACK_AUTH_TOKEN`", "`APITOKEN_LOCALSTACK_IMAGE`"} {
		if !strings.Contains(string(readme), name) {
			t.Errorf("README.md does not mention %s", name)
		}
	}
}

// TestLocalStackStartsAndStopsWithoutDynamoDBLocal runs localstack.sh with a docker that
// notes its arguments, and with a failing and a working deployment.
func TestLocalStackStartsAndStopsWithoutDynamoDBLocal(t *testing.T) {
	for _, c := range []struct{ deploy, end string }{{"exit 0", ""}, {"exit 3", "exit status 3"}} {
		dir := t.TempDir()
		calls := filepath.Join(dir, "calls")
		script, err := os.ReadFile(top + "localstack/localstack.sh")
		if err != nil {
			t.Fatal(err)
		}
		const note = "#!/usr/bin/env bash\nprintf '%s\\n' \"${0##*/} $* ${APITOKEN_LOCALSTACK:-}\" >>\"$CALLS\"\n"
		for name, text := range map[string]string{
			"localstack/localstack.sh": string(script), "localstack/deploy-local.sh": note + c.deploy, "bin/docker": note,
		} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, "localstack/localstack.sh"))
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "CALLS="+calls, "APITOKEN_LOCALSTACK_PORT=4999", "APITOKEN_LOCALSTACK=")
		out, err := cmd.CombinedOutput()
		if got := err; (got == nil) != (c.end == "") || got != nil && got.Error() != c.end {
			t.Errorf("deployment %q: localstack.sh ended with %v, want %q:\n%s", c.deploy, err, c.end, out)
		}
		b, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(b)) {
			got = append(got, strings.TrimSpace(line))
		}
		want := []string{
			"docker compose -f localstack/compose.yaml up --wait localstack",
			"deploy-local.sh  http://127.0.0.1:4999",
			"docker compose -f localstack/compose.yaml down",
		}
		if !slices.Equal(got, want) {
			t.Errorf("deployment %q: got the calls\n%s\nwant\n%s", c.deploy, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
