package vast

import (
	"bytes"
	"crypto/tls"
	_ "embed"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// Password is the password that the drive sends. It may be in no log line.
const Password = "hunter2"

var (
	//go:embed testdata/session.txt
	session string

	//go:embed testdata/sdk.py
	sdk []byte

	//go:embed testdata/new.json
	newToken []byte // the body that the session sends with -i

	//go:embed testdata/other.pem
	other []byte // a certificate that no service has
)

// Target is a service to drive, with the programs that drive it. The users of the drive
// have no tokens yet.
type Target struct {
	CLI, Python string // the paths of vastpy-cli, and of the Python with its SDK
	Host, Port  string // an address that speaks TLS
	Certificate string // the path of the certificate of this address
	Admin       string // the administrator's token
	Differs     []drive.Difference
}

// Commands runs the commands of testdata/session.txt and compares their output.
func Commands(t *testing.T, to Target) {
	t.Helper()
	drive.Check(t, Session(t, to), session, to.Differs)
}

// Session runs the commands of testdata/session.txt and returns them with their
// output. A command is a call of vastpy-cli with the user's token in VMS_TOKEN. Before
// its arguments it may have variables, like a shell. At its end it may have => USER:
// the token in its output is that of the user afterwards.
func Session(t *testing.T, to Target) string {
	t.Helper()
	p := newPlace(t, to)
	p.tokens["viewer"] = p.viewer("victor")
	return drive.Run(session, p.cli)
}

// SDK runs testdata/sdk.py, which checks every answer itself. The target may have
// tokens of an earlier session.
func SDK(t *testing.T, to Target) {
	t.Helper()
	p := newPlace(t, to)
	p.write("sdk.py", sdk)
	environment := []string{
		"ADMIN=" + to.Admin, "VIEWER=" + p.viewer("vivian"),
		"SCOPED=" + p.mint(httpapi.CreateRequest{User: userNamed("sophie"), Scopes: []string{"GET /api/latest/apitokens"}}),
	}
	out, errOut, code := drive.Exec(t, p.dir, environment, to.Python, "sdk.py", p.address())
	if code != 0 || out != "ok\n" {
		t.Errorf("sdk.py: got exit %d\n%s%s", code, out, errOut)
	}
}

// place is a folder where the clients run.
type place struct {
	Target
	t      *testing.T
	dir    string // the working directory and HOME of the clients
	ids    drive.IDs
	tokens map[string]string // by user
}

func newPlace(t *testing.T, to Target) *place {
	t.Helper()
	p := &place{Target: to, t: t, dir: t.TempDir(), tokens: map[string]string{"admin": to.Admin, "nobody": ""}}
	p.write("new.json", newToken)
	p.write("other.pem", other)
	certificate, err := os.ReadFile(to.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	p.write("service.pem", certificate)
	return p
}

func (p *place) address() string { return net.JoinHostPort(p.Host, p.Port) }

func (p *place) write(name string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// cli runs a command and returns what the session shows of it.
func (p *place) cli(user string, args []string) string {
	p.t.Helper()
	token, known := p.tokens[user]
	if !known {
		p.t.Errorf("the session has no token of %s yet", user)
	}
	environment := []string{"VMS_ADDRESS=" + p.address()}
	if token != "" {
		environment = append(environment, "VMS_TOKEN="+token)
	}
	for strings.HasPrefix(args[0], "VMS_") {
		environment, args = append(environment, args[0]), args[1:]
	}
	keep := ""
	if i := slices.Index(args, "=>"); i >= 0 {
		args, keep = args[:i], args[i+1]
	}
	for i, arg := range args {
		args[i] = p.ids.Real(p.t, arg)
	}
	out, errOut, code := drive.Exec(p.t, p.dir, environment, append([]string{p.CLI}, args...)...)
	if keep != "" {
		p.tokens[keep] = secrets.FindString(out)
	}
	return p.masked(drive.Shown(out, withoutTrace(errOut), code))
}

// viewer returns a token of a new user who has only the permission view. VAST's form
// has no call that grants a permission.
func (p *place) viewer(user string) string {
	p.t.Helper()
	p.send(http.MethodPut, "/v1/users/"+user+"/permissions", map[string][]string{"permissions": {"view"}})
	return p.mint(httpapi.CreateRequest{User: userNamed(user)})
}

// mint creates a token with members that VAST's form does not have.
func (p *place) mint(r httpapi.CreateRequest) string {
	p.t.Helper()
	var made httpapi.Created
	engines.Decode(p.t, p.send(http.MethodPost, "/v1/auth/access-tokens", r).Body, &made)
	return made.BearerToken.Reveal()
}

// send makes a call of the administrator that has to succeed.
func (p *place) send(method, path string, body any) engines.Answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, "https://"+p.address()+path, bytes.NewReader(engines.Encode(p.t, body)))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.Admin)
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	a := engines.Do(p.t, &http.Client{Transport: transport}, r)
	if !a.OK() {
		p.t.Fatalf("%s %s: %s", method, path, a)
	}
	return a
}
