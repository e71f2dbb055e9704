package vast_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/vast"
)

var update = flag.Bool("update", false, "write the session again")

func TestVASTsClientsWorkAgainstTheService(t *testing.T) {
	if *update {
		_, to := start(t, folder)
		if err := os.WriteFile(filepath.Join("testdata", "session.txt"), []byte(vast.Session(t, to)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, serve := range map[string]func(*testing.T) *drive.Service{"a folder": folder, "a table": drive.ServeBalanced} {
		t.Run(name, func(t *testing.T) {
			s, to := start(t, serve)
			driveBoth(t, s, to)
		})
	}
}

func folder(t *testing.T) *drive.Service { return drive.Serve(t) }

func start(t *testing.T, serve func(*testing.T) *drive.Service) (*drive.Service, vast.Target) {
	t.Helper()
	to := vast.Target{CLI: engines.Tool(t, engines.Vastpy), Python: engines.Python(t, engines.Vastpy)}
	s := serve(t)
	to.Host, to.Port, to.Admin, to.Certificate = s.Host, s.Port, s.Admin, s.Certificate
	return s, to
}

// driveBoth drives a service with both clients.
func driveBoth(t *testing.T, s *drive.Service, to vast.Target) {
	t.Helper()
	t.Run("vastpy-cli", func(t *testing.T) {
		vast.Commands(t, to)
		checkLimits(t, s, 1)
	})
	before := limits(s)
	t.Run("the SDK", func(t *testing.T) {
		vast.SDK(t, to)
		checkLimits(t, s, before+1)
	})
	s.CheckLog(vast.Password)
}

// limits returns the number of refusals at the limit of tokens.
func limits(s *drive.Service) int { return strings.Count(s.Log(), `"code":"token_limit_reached"`) }

// checkLimits checks that a client did not send a refused create again. vastpy sends a
// request again after a 503, if the answer advises so.
func checkLimits(t *testing.T, s *drive.Service, want int) {
	t.Helper()
	if got := limits(s); got != want {
		t.Errorf("the log has %d refusals at the limit, want %d", got, want)
	}
}
