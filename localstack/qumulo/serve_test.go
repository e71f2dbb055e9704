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

func TestQqWorksAgainstTheService(t *testing.T) {
	s, to := start(t)
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "session.txt"), []byte(qumulo.Session(t, to)), 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		qumulo.Commands(t, to)
	}
	s.CheckLog(qumulo.Password)
}

func TestThePythonBindingsWorkAgainstTheService(t *testing.T) {
	s, to := start(t)
	qumulo.Bindings(t, to)
	s.CheckLog(qumulo.Password)
}

func start(t *testing.T) (*drive.Service, qumulo.Target) {
	t.Helper()
	to := qumulo.Target{QQ: engines.Tool(t, engines.QQ), Python: engines.Python(t, engines.QQ)}
	s := drive.Serve(t)
	to.Host, to.Port, to.Admin = s.Host, s.Port, s.Admin
	return s, to
}
