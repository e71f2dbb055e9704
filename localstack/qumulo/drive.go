package qumulo

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"apitoken/localstack/drive"
)

// Password is the password that the drive sends. It may be in no log line.
const Password = "hunter2"

var (
	//go:embed testdata/session.txt
	session string

	//go:embed testdata/login.txt
	logins string

	//go:embed testdata/bindings.py
	bindings []byte
)

// Target is a service to drive, with the programs that drive it. The service is new:
// its only token is the administrator's.
type Target struct {
	QQ, Python string // the paths of qq, and of the Python with its bindings
	Host, Port string // an address that speaks TLS
	Admin      string // the administrator's token
	Differs    []drive.Difference
}

// Commands runs the commands of testdata/session.txt and compares their output.
func Commands(t *testing.T, to Target) {
	t.Helper()
	drive.Check(t, Session(t, to), session, to.Differs)
}

// Session runs the commands of testdata/session.txt and returns them with their
// output. A command is a call of qq with the credentials file USER.json.
func Session(t *testing.T, to Target) string {
	t.Helper()
	return drive.Run(session, newPlace(t, to).qq)
}

// Logins runs the commands of testdata/login.txt as Session does. The service has the
// passwords of drive.Passwords.
func Logins(t *testing.T, to Target) string {
	t.Helper()
	return drive.Run(logins, newPlace(t, to).qq)
}

// CheckLogins compares what Logins returns with testdata/login.txt.
func CheckLogins(t *testing.T, to Target) {
	t.Helper()
	drive.Check(t, Logins(t, to), logins, nil)
}

// Bindings runs testdata/bindings.py, which checks every answer itself. The target
// may have tokens of an earlier session.
func Bindings(t *testing.T, to Target) {
	t.Helper()
	p := newPlace(t, to)
	p.write("bindings.py", bindings)
	out, errOut, code := drive.Exec(t, p.dir, nil, to.Python, "bindings.py", to.Host, to.Port, "admin.json")
	if code != 0 || out != "ok\n" {
		t.Errorf("bindings.py: got exit %d\n%s%s", code, out, errOut)
	}
}

// place is a folder where the clients run.
type place struct {
	Target
	t   *testing.T
	dir string // the working directory and HOME of qq, with the credentials files
	ids drive.IDs
}

func newPlace(t *testing.T, to Target) *place {
	t.Helper()
	p := &place{Target: to, t: t, dir: t.TempDir()}
	p.write("admin.json", fmt.Appendf(nil, `{"version":1,"bearer_token":%q}`, to.Admin))
	return p
}

func (p *place) write(name string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// qq runs a command and returns what the session shows of it.
func (p *place) qq(user string, args []string) string {
	for i, arg := range args {
		args[i] = p.ids.Real(p.t, arg)
	}
	args = append([]string{p.QQ, "--host", p.Host, "--port", p.Port, "--credentials-store", user + ".json"}, args...)
	return p.masked(drive.Shown(drive.Exec(p.t, p.dir, nil, args...)))
}
