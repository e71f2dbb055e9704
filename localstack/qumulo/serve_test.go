package qumulo_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/qumulo"
)

var update = flag.Bool("update", false, "write the session again")

// services are the services that the tests drive.
var services = map[string]func(*testing.T) *drive.Service{
	"a folder": func(t *testing.T) *drive.Service { return drive.Serve(t) },
	"a table":  drive.ServeBalanced,
}

func TestQqWorksAgainstTheService(t *testing.T) {
	if *update {
		_, to := start(t, services["a folder"])
		if err := os.WriteFile(filepath.Join("testdata", "session.txt"), []byte(qumulo.Session(t, to)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, serve := range services {
		t.Run(name, func(t *testing.T) {
			s, to := start(t, serve)
			qumulo.Commands(t, to)
			s.CheckLog(qumulo.Password)
		})
	}
}

func TestThePythonBindingsWorkAgainstTheService(t *testing.T) {
	for name, serve := range services {
		t.Run(name, func(t *testing.T) {
			s, to := start(t, serve)
			qumulo.Bindings(t, to)
			s.CheckLog(qumulo.Password)
		})
	}
}

// TestQqLogsInWithAPassword if the service has passwords. No password and no session is in
// the log.
func TestQqLogsInWithAPassword(t *testing.T) {
	s, to := start(t, func(t *testing.T) *drive.Service { return drive.Serve(t, "--password-file", drive.Passwords(t)) })
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "login.txt"), []byte(qumulo.Logins(t, to)), 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		qumulo.CheckLogins(t, to)
	}
	s.CheckLog(qumulo.Password)
	s.CheckLog(drive.Password)
}

func start(t *testing.T, serve func(*testing.T) *drive.Service) (*drive.Service, qumulo.Target) {
	t.Helper()
	to := qumulo.Target{QQ: engines.Tool(t, engines.QQ), Python: engines.Python(t, engines.QQ)}
	s := serve(t)
	to.Host, to.Port, to.Admin = s.Host, s.Port, s.Admin
	return s, to
}
