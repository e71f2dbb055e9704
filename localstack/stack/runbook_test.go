package stack_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
)

// notOnMiniStack has the commands of the runbook that cannot run here, by their
// beginning, and a part of their error. The test expects this error, so a command that
// begins to work leaves the list.
var notOnMiniStack = map[string]string{
	"aws logs tail":                   "Invalid choice", // only version 2 of the AWS CLI has it
	"aws sqs start-message-move-task": "InvalidAction",  // MiniStack has no such task
}

// TestTheRunbook runs the commands of the runbook, with their words in capital
// letters replaced by the names of a stack. The stack is deployed, deleted, restored and
// deployed again by the real scripts.
//
// MiniStack restores a table as it is now, and not as it was. So the restore runs before
// a token is revoked, and the other commands after it.
func TestTheRunbook(t *testing.T) {
	r := newRunbook(t)
	r.command(t, "make deploy")
	r.stack.readStack(t)
	r.stack.allowDescribeBus(t)
	r.stack.peppers = r.stack.readPeppers(t)
	r.stack.admin = strings.TrimSpace(r.file(t, r.stack.outputs["TokenTableName"]+".token"))
	r.stack.api = newSite(r.stack.root.URL, r.stack.outputs["ApiUrl"])
	ann := newUser("ann")
	kept, revoked := r.stack.createToken(t, httpapi.CreateRequest{User: ann}), r.stack.createToken(t, httpapi.CreateRequest{User: ann})
	r.stack.waitForCopy(t, events.UserStream(ann.Name), 2)
	r.fill(t)

	commands := runbookCommands(t, r.file(t, "infra/sam/README.md"))
	restored := func(c string) bool { return strings.Contains(c, "restore-table-to-point-in-time") }
	for _, c := range commands {
		if restored(c) {
			r.command(t, c)
		}
	}
	if err := r.stack.api.client(r.stack.admin).Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	r.stack.waitForCopy(t, events.UserStream(ann.Name), 3)
	for _, c := range commands {
		if restored(c) {
			continue
		}
		out := r.command(t, c)
		if strings.HasPrefix(c, "apitoken audit reapply") && !strings.Contains(out, "token "+revoked.ID+" is revoked again") {
			t.Errorf("%s: got %s", c, out)
		}
	}

	before := r.stack.deployment
	r.stack.readStack(t)
	if r.stack.deployment == before {
		t.Error("the stack is still the old one")
	}
	if got := r.stack.ids["TokenTable"]; got != r.words["RESTORED"] {
		t.Errorf("the new stack has the table %s, want %s", got, r.words["RESTORED"])
	}
	if got := r.stack.readPeppers(t); got != r.stack.peppers {
		t.Error("the new stack has another pepper, so no token works")
	}
	r.stack.allowDescribeBus(t)
	if self, err := r.stack.api.client(kept.BearerToken.Reveal()).WhoAmI(t.Context()); err != nil || self.Name != ann.Name {
		t.Errorf("a token that was not revoked: got %+v, %v", self, err)
	}
	if _, err := r.stack.api.client(revoked.BearerToken.Reveal()).WhoAmI(t.Context()); statusOf(err) != http.StatusUnauthorized {
		t.Errorf("the revoked token: got %v, want 401", err)
	}
	r.stack.createToken(t, httpapi.CreateRequest{User: ann})
	r.stack.waitForCopy(t, events.UserStream(ann.Name), 4)
}

// This test needs no engine. It finds a line of the runbook that is no command, and a
// missing step of the restore, before any deployment.
func TestTheRunbookHasCommands(t *testing.T) {
	b, err := os.ReadFile(top + "infra/sam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := runbookCommands(t, string(b))
	for begin := range notOnMiniStack {
		if !slices.ContainsFunc(commands, func(line string) bool { return strings.HasPrefix(line, begin) }) {
			t.Errorf("the runbook has no command %s, so it is not one that cannot run", begin)
		}
	}
}

// runbook is a copy of the work tree, from which a stack is deployed.
type runbook struct {
	stack   *stack
	dir     string
	path    string
	words   map[string]string // the runbook's words in capital letters
	exports []string
}

func newRunbook(t *testing.T) *runbook {
	t.Helper()
	r := &runbook{stack: &stack{root: engines.Connect(t, engines.MiniStack), name: "runbook-" + newUser("x").Name}, dir: t.TempDir()}
	copyTree(t, r.dir)
	if err := os.Rename(forMiniStack(t, r.dir), filepath.Join(r.dir, "template.yaml")); err != nil { // JSON is YAML
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stack.root.DeleteStack(t, r.stack.name) })
	r.write(t, "samconfig.toml", 0o600, fmt.Sprintf(`version = 0.1

[default.deploy.parameters]
stack_name = "%s"
region = "%s"
resolve_s3 = true
capabilities = "CAPABILITY_IAM"
parameter_overrides = "Arch=\"%s\" ArchiveDays=\"0\" RequestsPerSecond=\"1000\" RequestBurst=\"1000\""
`, r.stack.name, engines.Region, arch()))
	r.write(t, "tools/curl", 0o700, curlToEngine(t, r.stack.root.URL))
	// Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS in us-east-1, and would call AWS itself.
	r.write(t, "tools/aws", 0o700, "#!/bin/sh\nexec \""+awsPath(t)+"\" --endpoint-url \""+r.stack.root.URL+"\" \"$@\"\n")
	for name, to := range map[string]string{"sam": toolPath(t, "sam"), "apitoken": filepath.Join(r.dir, "bin/apitoken")} {
		if err := os.Symlink(to, filepath.Join(r.dir, "tools", name)); err != nil {
			t.Fatal(err)
		}
	}
	r.path = filepath.Join(r.dir, "tools")
	return r
}

// awsPath returns the path of the AWS CLI. If there is none on PATH, it is that which
// LocalStack's installation brings.
func awsPath(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("aws"); err == nil {
		return path
	}
	engines.Require(t, engines.LocalStack)
	out, err := exec.CommandContext(t.Context(), top+"localstack/engines.sh", "install", "localstack").Output()
	if err != nil {
		t.Fatalf("engines.sh install localstack: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "venv/bin/aws")
}

// copyTree copies the files of the work tree that Git knows or would know.
func copyTree(t *testing.T, to string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `git ls-files -co --exclude-standard -z | xargs -0 cp -P --parents -t "$1"`, "bash", to)
	c.Dir = top
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("copying the work tree: %v: %s", err, out)
	}
}

// curlToEngine returns a script that calls the engine in place of the API's address on
// AWS. MiniStack finds the API by the Host header.
func curlToEngine(t *testing.T, url string) string {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("SKIPPED: needs curl")
	}
	return `#!/usr/bin/env bash
args=()
for a; do
  if [[ $a =~ ^https://([a-z0-9]+\.execute-api)\.[^/]+(/.*)$ ]]; then
    args+=(-H "Host: ${BASH_REMATCH[1]}.localhost:` + url[strings.LastIndexByte(url, ':')+1:] + `" "` + url + `${BASH_REMATCH[2]}")
  else
    args+=("$a")
  fi
done
exec "` + curl + `" "${args[@]}"
`
}

func (r *runbook) write(t *testing.T, name string, mode os.FileMode, text string) {
	t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (r *runbook) file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fill gives the runbook's words their values in this stack.
func (r *runbook) fill(t *testing.T) {
	t.Helper()
	var secret struct{ ARN string }
	r.stack.root.MustCall(t, "secretsmanager", "secretsmanager.DescribeSecret", object{"SecretId": r.stack.ids["PepperOne"]}, &secret)
	r.words = map[string]string{
		"STACK": r.stack.name, "TABLE": r.stack.ids["TokenTable"], "COPIES": r.stack.ids["AuditTable"], "LOG_GROUP": r.stack.ids["FunctionLogs"],
		"URL": r.stack.ids["PublishDeadLetters"], "DEAD_LETTERS_ARN": r.stack.outputs["AuditDeadLettersArn"], "QUEUE_ARN": r.stack.outputs["AuditQueueArn"],
		"RESTORED": r.stack.name + "-restored", "RESTORED_COPIES": r.stack.name + "-restored-copies", "TIME": time.Now().UTC().Format(time.RFC3339),
		"PEPPER_ARN": secret.ARN, "NAME": r.stack.ids["AuthorizeFunction"],
	}
}

// commandLine matches a line of the runbook that is a command.
var commandLine = regexp.MustCompile(`^(aws|apitoken|make|infra/sam/|export) ?`)

// runbookCommands returns the commands in the blocks of the runbook, in order.
func runbookCommands(t *testing.T, readme string) (all []string) {
	t.Helper()
	_, text, _ := strings.Cut(readme, "\n## Runbook\n")
	text, _, found := strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("infra/sam/README.md has no runbook")
	}
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
		case inside && commandLine.MatchString(line):
			all = append(all, line)
		case inside && !strings.HasPrefix(line, "PEPPERS: ") && !strings.HasPrefix(line, "Value: "): // of the template
			t.Errorf("the runbook has the line %q, which is no command that this test knows", line)
		}
	}
	for _, c := range []string{"aws lambda put-function-concurrency", "make undeploy", "infra/sam/restore.sh", "make deploy"} {
		if !slices.ContainsFunc(all, func(line string) bool { return strings.HasPrefix(line, c) }) {
			t.Errorf("the runbook has no command %s", c)
		}
	}
	return all
}

// capitals matches a word that the reader replaces by a name.
var capitals = regexp.MustCompile(`\b[A-Z]+(_[A-Z]+)*\b`)

// command runs a command of the runbook at the top of the copy, and returns its output.
func (r *runbook) command(t *testing.T, line string) string {
	t.Helper()
	if strings.HasPrefix(line, "export ") {
		r.exports = append(r.exports, r.replace(line))
		return ""
	}
	script := strings.Join(append(slices.Clone(r.exports), r.replace(line)), "\n")
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	c.Dir = r.dir
	c.Env = append(awsEnviron(r.stack.root.URL), "PATH="+r.path+":"+os.Getenv("PATH"), "SAM_CLI_TELEMETRY=0")
	c.Stdin = strings.NewReader("y\ny\ny\n") // sam asks before it deletes
	start := time.Now()
	out, err := c.CombinedOutput()
	t.Logf("%s: %v", line, time.Since(start).Round(time.Millisecond))
	for begin, reason := range notOnMiniStack {
		if !strings.HasPrefix(line, begin) {
			continue
		}
		if err == nil || !strings.Contains(string(out), reason) {
			t.Errorf("%s: got %v, want the error %q; take the command out of the list:\n%s", line, err, reason, out)
		}
		return string(out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", r.replace(line), err, out)
	}
	return string(out)
}

func (r *runbook) replace(line string) string {
	known := slices.Collect(maps.Keys(r.words))
	return capitals.ReplaceAllStringFunc(line, func(word string) string {
		if slices.Contains(known, word) {
			return r.words[word]
		}
		return word
	})
}
