package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"apitoken/cmd/apitoken/cli"
)

var update = flag.Bool("update", false, "renew the golden texts in testdata")

// TestMain makes this test binary also the command: the tests run it under the
// name apitoken, as a separate process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"apitoken": func() {
			cli.CompletionTime, cli.AnnounceTime = time.Minute, time.Minute // a busy machine answers late
			os.Exit(cli.Main())
		},
	})
}

// TestScripts runs testdata/script against the real binary.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":        scriptServe,
			"servelimited": scriptServeLimited,
			"halt":         scriptHalt,
			"haltbroken":   scriptHaltBroken,
			"mode":         scriptMode,
			"truncate":     scriptTruncate,
			"grab":         scriptGrab,
			"interrupt":    scriptInterrupt,
			"encode":       scriptEncode,
			"plant":        scriptPlant,
			"head":         scriptHead,
			"issue":        scriptIssue,
			"hangup":       scriptHangup,
			"killserver":   scriptKill,
			"published":    scriptPublished,
			"calling":      scriptCalling,
			"called":       scriptCalled,
			"issuer":       scriptIssuer,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Getuid() == 0, nil
			case "curl": // CI must have it
				_, err := exec.LookPath("curl")
				return err == nil || os.Getenv("CI") == "true", nil
			}
			return false, errors.New("unknown condition " + name)
		},
	})
}

// server is a running `apitoken serve`.
type server struct {
	cmd    *exec.Cmd
	url    string
	out    *lockedText // standard output
	log    *lockedText // standard error
	copied chan struct{}
}

// lockedText collects what a process writes.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var listening = regexp.MustCompile(`^listening on (\S+)$`)

// startServer starts the command and returns when it has printed its address.
func startServer(cmd *exec.Cmd) (*server, error) {
	s := &server{cmd: cmd, out: &lockedText{}, log: &lockedText{}, copied: make(chan struct{})}
	cmd.Stderr = s.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	for s.url == "" {
		line, err := lines.ReadString('\n')
		io.WriteString(s.out, line)
		if err != nil {
			return nil, errors.Join(errors.New("the server did not start: "+s.log.String()), cmd.Wait())
		}
		if m := listening.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			s.url = m[1]
		}
	}
	go func() {
		defer close(s.copied)
		io.Copy(s.out, lines)
	}()
	return s, nil
}

// end sends the signal and returns the error of the process's exit.
func (s *server) end(sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	<-s.copied
	return s.cmd.Wait()
}

// scriptServe is `serve ARGS...`: it starts a server on a free port and sets
// APITOKEN_URL and ADDRESS. The server runs until `halt` or the end of the script.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	serveInScript(ts, exec.Command("apitoken", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...))
}

// scriptServeLimited is `servelimited BLOCKS ARGS...`: it is like serve, but no file
// of the server may have more than BLOCKS blocks (the shell's ulimit).
func scriptServeLimited(ts *testscript.TestScript, neg bool, args []string) {
	line := `ulimit -f "$0"; exec apitoken serve --listen 127.0.0.1:0 "$@"`
	serveInScript(ts, exec.Command("sh", append([]string{"-c", line}, args...)...))
}

// serverVariables are the variables of a script that its server gets.
var serverVariables = []string{
	"CREDENTIALS_DIRECTORY", "APITOKEN_LISTEN", "APITOKEN_DATA", "APITOKEN_EVENTS_PART", "APITOKEN_TLS_SELF_SIGNED", "APITOKEN_TLS_NAME", "APITOKEN_TRUSTED_PROXIES",
	"APITOKEN_TLS_CRT", "APITOKEN_LISTN", "APITOKEN_PORT", "APITOKEN_SERVICE_HOST", "APITOKEN_PORT_80_TCP_ADDR", "APITOKEN_CA_FILE", "APITOKEN_CONTEXT", "APITOKEN_TOKEN_FILE_SHARED",
}

func serveInScript(ts *testscript.TestScript, cmd *exec.Cmd) {
	cmd.Dir, cmd.Env = ts.MkAbs("."), os.Environ()
	for _, name := range serverVariables {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	s, err := startServer(cmd)
	ts.Check(err)
	ts.Setenv("APITOKEN_URL", s.url)
	_, address, _ := strings.Cut(s.url, "://")
	ts.Setenv("ADDRESS", address)
	running.Store(ts, s)
	ts.Defer(func() {
		if _, still := running.LoadAndDelete(ts); still {
			s.end(syscall.SIGKILL)
		}
	})
}

var running sync.Map // *testscript.TestScript to *server

// scriptHalt is `halt [OUTFILE LOGFILE]`: it ends the server, which must exit with
// 0, and stores its standard output and its log in the files.
func scriptHalt(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("no server is running")
	}
	s := v.(*server)
	ts.Check(s.end(syscall.SIGTERM))
	if len(args) == 2 {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s.out.String()), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(s.log.String()), 0o600))
	}
}

// scriptHaltBroken is `haltbroken OUT LOG`: it stops a server whose store cannot write
// any more. Such a server ends with an error only if an event is left in its outbox.
func scriptHaltBroken(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("no server is running")
	}
	s := v.(*server)
	err := s.end(syscall.SIGTERM)
	if err != nil && !strings.Contains(s.log.String(), "apitoken: some events are not yet in the file of events; the next start sends them: ") {
		ts.Fatalf("the server ended with %v: %s", err, s.log)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s.out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(s.log.String()), 0o600))
}

// scriptKill is `killserver`: it kills the server.
func scriptKill(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("no server is running")
	}
	if err := v.(*server).end(syscall.SIGKILL); err == nil {
		ts.Fatalf("the server ended by itself")
	}
}

// scriptMode is `mode OCTAL FILE...`: it compares permissions.
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := octal(info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

func octal(m os.FileMode) string {
	const digits = "01234567"
	return string([]byte{digits[m>>6&7], digits[m>>3&7], digits[m&7]})
}

// scriptTruncate is `truncate FILE`: it leaves a quarter of a file. The end of a store
// may have free pages only.
func scriptTruncate(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()/4))
}

// scriptEncode is `encode FILE`: it writes the text of the file in other encodings
// into utf16le, utf16be, utf32 and, without a byte order mark, bare16.
func scriptEncode(ts *testscript.TestScript, neg bool, args []string) {
	files := map[string][]byte{"utf16le": {0xFF, 0xFE}, "utf16be": {0xFE, 0xFF}, "utf32": {0xFF, 0xFE, 0, 0}, "bare16": nil}
	for _, c := range []byte(strings.TrimSpace(ts.ReadFile(args[0]))) {
		files["utf16le"] = append(files["utf16le"], c, 0)
		files["utf16be"] = append(files["utf16be"], 0, c)
		files["utf32"] = append(files["utf32"], c, 0, 0, 0)
		files["bare16"] = append(files["bare16"], c, 0)
	}
	for name, b := range files {
		ts.Check(os.WriteFile(ts.MkAbs(name), b, 0o600))
	}
}

// scriptGrab is `grab VARIABLE REGEXP FILE`: it sets the variable to the first
// group of the first match.
func scriptGrab(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if m == nil {
		ts.Fatalf("%s does not match %s", args[2], args[1])
	}
	ts.Setenv(args[0], m[1])
}
