package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/certtest"
)

const (
	unitFolder = "../../infra/systemd"
	unitFile   = "apitoken.service"
)

var dropIns = []string{"tls-files.conf", "tls-credentials.conf", "socket.conf"}

func readUnit(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(unitFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unitIn writes the unit, with the command of this test, and one drop-in into an empty
// folder, and returns the path of the unit.
func unitIn(t *testing.T, dropIn string) string {
	t.Helper()
	command, err := exec.LookPath("apitoken")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), unitFile)
	texts := map[string]string{path: strings.Replace(readUnit(t, unitFile), "/usr/local/bin/apitoken", command, 1)}
	if dropIn != "" {
		texts[filepath.Join(path+".d", "x.conf")] = dropIn
	}
	for name, text := range texts {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// analyze runs systemd-analyze and returns what it prints. CI must have it.
func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("CI needs systemd-analyze (the package systemd)")
	case err != nil:
		t.Skip("SKIPPED: needs systemd-analyze")
	}
	b, err := exec.Command(path, args...).CombinedOutput()
	return string(b), err
}

// TestTheUnitIsValid: systemd has no remark about the unit and its drop-ins, and counts
// it among the well protected ones (0 is best, 10 is worst).
func TestTheUnitIsValid(t *testing.T) {
	for _, name := range append([]string{""}, dropIns...) {
		var text string
		if name != "" {
			text = readUnit(t, name)
		}
		path := unitIn(t, text)
		if out, err := analyze(t, "verify", path); err != nil || out != "" {
			t.Errorf("%q: got %v\n%s", name, err, out)
		}
		if out, err := analyze(t, "security", "--offline=true", "--threshold=20", path); err != nil {
			t.Errorf("%q: got %v\n%s", name, err, out)
		}
	}
	if out, err := analyze(t, "verify", unitIn(t, "[Service]\nEnvironmen=A=b\n")); err == nil && !strings.Contains(out, "Unknown key") {
		t.Errorf("systemd-analyze has no remark about a wrong unit: %s", out)
	}
}

// settings are the values of a key in units, in their order.
func settings(key string, units ...string) (values []string) {
	for line := range strings.Lines(strings.Join(units, "\n")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

// environment are the variables that systemd sets for the units. The folders of the
// machine are below root, and the port is a free one.
func environment(root string, units ...string) []string {
	folders := strings.NewReplacer("%S", root+"/var/lib", "%t", root+"/run", "%d", root+"/credentials", "/etc/", root+"/etc/")
	var vars []string
	for _, v := range settings("Environment", units...) {
		if address, ok := strings.CutPrefix(v, "APITOKEN_LISTEN="); ok && !strings.HasPrefix(address, "unix:") {
			v = "APITOKEN_LISTEN=127.0.0.1:0"
		}
		vars = append(vars, folders.Replace(v))
	}
	return append(vars, "CREDENTIALS_DIRECTORY="+root+"/credentials")
}

// shortFolder is a folder with a short path, for sockets.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestTheServiceRunsAsItsUnitsSay starts it with the variables of the unit and of each
// drop-in, as systemd does, and sends the signal of ExecReload. The service tells when it
// is ready, reads the pair of the drop-in, knows each variable, and ends with exit code 0.
func TestTheServiceRunsAsItsUnitsSay(t *testing.T) {
	command := strings.TrimPrefix(settings("ExecStart", readUnit(t, unitFile))[0], "/usr/local/bin/")
	reload := settings("ExecReload", readUnit(t, unitFile))
	if command != "apitoken serve" || len(reload) != 1 || reload[0] != "/bin/kill -HUP $MAINPID" {
		t.Fatalf("the unit runs %q and %q", command, reload)
	}
	for name, want := range map[string]struct{ listening, reloaded string }{
		"":                     {"http://127.0.0.1:", "SIGHUP has no effect"},
		"tls-files.conf":       {"https://127.0.0.1:", "the certificate was read again and is the same"},
		"tls-credentials.conf": {"https://127.0.0.1:", "the certificate was read again and is the same"},
		"socket.conf":          {"unix:", "SIGHUP has no effect"},
	} {
		units := []string{readUnit(t, unitFile)}
		if name != "" {
			units = append(units, readUnit(t, name))
		}
		root := shortFolder(t)
		ready := machineIn(t, root)
		c := exec.Command("apitoken", "serve")
		c.Env = append(append(os.Environ(), environment(root, units...)...), "NOTIFY_SOCKET="+root+"/notify")
		s, err := startServer(c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := read(ready); got != "READY=1" {
			t.Errorf("%q: systemd got %q", name, got)
		}
		if !strings.HasPrefix(s.url, want.listening) {
			t.Errorf("%q: the service listens on %s", name, s.url)
		}
		c.Process.Signal(syscall.SIGHUP)
		awaitLog(s, want.reloaded)
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Errorf("%q: the service ended with %v", name, err)
		}
		if log := s.log.String(); !strings.Contains(log, want.reloaded) || strings.Contains(log, "unknown variable") {
			t.Errorf("%q: the log has %s", name, log)
		}
		if _, err := os.Stat(root + "/var/lib/apitoken/admin.token"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// machineIn makes below root what the unit has systemd make, with a pair for TLS, and
// returns the socket of systemd.
func machineIn(t *testing.T, root string) *net.UnixConn {
	t.Helper()
	for _, dir := range []string{"/var/lib", "/run/apitoken", "/credentials", "/etc/apitoken"} {
		if err := os.MkdirAll(root+dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/credentials", "/etc/apitoken"} {
		certtest.Write(t, root+dir+"/tls.crt", root+dir+"/tls.key", 0o440)
	}
	if os.Getuid() != 0 { // the file is not one of root
		os.Chmod(root+"/etc/apitoken/tls.key", 0o400)
	}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: root + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func read(l *net.UnixConn) string {
	l.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 100)
	n, err := l.Read(b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}

// awaitLog waits until the log of the server has the text, for a minute at most.
func awaitLog(s *server, text string) {
	for end := time.Now().Add(time.Minute); !strings.Contains(s.log.String(), text) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}
