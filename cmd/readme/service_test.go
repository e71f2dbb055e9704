package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/certtest"
)

// servicePage are the commands of the README's page about the service.
func servicePage(t *testing.T) (commands []string) {
	t.Helper()
	file, err := os.Open("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page, block := false, false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "## "):
			page = line == "## Run it as a service"
		case page && strings.HasPrefix(line, "```"):
			block = line == "```sh"
		case page && block:
			commands = append(commands, line)
		}
	}
	return commands
}

// TestTheCommandsOfTheServicePageRun runs each command of the page in order. The
// folders of the machine are below an empty one, and the command is the installed one. sudo, systemctl, systemd-sysusers and
// certbot are programs of the test, which do the same there: systemctl starts the
// service with the variables of the installed units, and certbot makes a pair and runs
// the deploy hook.
func TestTheCommandsOfTheServicePageRun(t *testing.T) {
	for _, name := range []string{"bash", "make", "curl", "install"} {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") != "true" {
			t.Skip("SKIPPED: needs " + name)
		}
	}
	root, err := os.MkdirTemp("", "s") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	bin := filepath.Join(root, "bin")
	certtest.Write(t, root+"/live/fullchain.pem", root+"/live/privkey.pem", 0o600)
	programs := map[string]string{
		"sudo":             `exec "$@"`,
		"systemd-sysusers": `grep -q '^u apitoken ' "$ROOT/etc/sysusers.d/apitoken.conf"`,
		"certbot": `for hook; do :; done
export RENEWED_LINEAGE="$ROOT/live"
"$hook" "$ROOT/etc/apitoken" "$(id -gn)"
[ "$(stat -c %a "$ROOT/etc/apitoken/tls.key")" = 640 ]
[ "$(id -u)" = 0 ] || chmod 600 "$ROOT/etc/apitoken/tls.key" # the group may read only files of root`,
		"systemctl": systemctl,
	}
	for name, text := range programs {
		if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\nset -eu\n"+text+"\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/var/lib", "/run/apitoken", "/etc/apitoken"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	units, err := filepath.Glob("../../infra/systemd/*")
	if err != nil || len(units) == 0 {
		t.Fatalf("got %v, %v", units, err)
	}
	for _, unit := range units { // so go test sees a change of what make installs
		if _, err := os.ReadFile(unit); err != nil {
			t.Fatal(err)
		}
	}
	commands := servicePage(t)
	if len(commands) < 14 {
		t.Fatalf("the page has only %q", commands)
	}
	places := strings.NewReplacer("/etc/", root+"/etc/", "/var/lib/", root+"/var/lib/", "unix:/run/", "unix:"+root+"/run/", " /run/", " "+root+"/run/",
		"/usr/local/share", root+"/usr/local/share", "make install-service", "make -C ../.. install-service DESTDIR="+root,
		"https://tokens.example.com:8443", `"$(cat $ROOT/url)" --ca-file `+root+"/live/fullchain.pem", "apitoken whoami", `apitoken whoami --url "$(cat $ROOT/url)"`)
	env := append(os.Environ(), "ROOT="+root, "PATH="+bin+":"+root+"/usr/local/bin:"+os.Getenv("PATH"))
	t.Cleanup(func() {
		stop := exec.Command("systemctl", "stop", "apitoken")
		stop.Path, stop.Env = filepath.Join(bin, "systemctl"), env
		stop.Run()
	})
	for _, line := range commands {
		c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", places.Replace(line))
		c.Env = env
		if out, err := c.CombinedOutput(); err != nil {
			log, _ := os.ReadFile(root + "/log")
			t.Fatalf("%s: %v\n%s\n%s", line, err, out, log)
		}
	}
}

// systemctl is the program of the test. Its variables are those of the installed units.
const systemctl = `
stop() { if [ -f "$ROOT/pid" ]; then kill "$(cat "$ROOT/pid")"; while kill -0 "$(cat "$ROOT/pid")" 2>/dev/null; do sleep 0.01; done; rm "$ROOT/pid"; fi; }
start() {
  units="$ROOT/etc/systemd/system/apitoken.service"
  grep -q '^ExecStart=/usr/local/bin/apitoken serve$' "$units"
  while read -r v; do export "$v"; done < <(cat "$units" "$units".d/*.conf 2>/dev/null | sed -n 's/^Environment=//p' |
    sed "s|%S|$ROOT/var/lib|; s|%t|$ROOT/run|; s|=/etc/|=$ROOT/etc/|; s|:8443$|:0|; s|:8080$|:0|")
  : >"$ROOT/out"
  apitoken serve >"$ROOT/out" 2>>"$ROOT/log" </dev/null &
  echo $! >"$ROOT/pid"
  for i in $(seq 1000); do grep -q '^listening on' "$ROOT/out" && break; sleep 0.01; done
  sed -n 's/^listening on //p' "$ROOT/out" | sed 's|\[::\]|127.0.0.1|' >"$ROOT/url"
  [ -s "$ROOT/url" ]
}
case $1 in
daemon-reload) ;;
enable) [ "$2 $3" = "--now apitoken" ]; start ;;
restart) [ "$2" = apitoken ]; stop; start ;;
try-reload-or-restart) [ "$2" = apitoken ]; kill -HUP "$(cat "$ROOT/pid")" ;;
stop) stop ;;
*) exit 9 ;;
esac
`
