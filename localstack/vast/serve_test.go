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
	to := vast.Target{CLI: engines.Tool(t, engines.Vastpy), Python: engines.Python(t, engines.Vastpy)}
	s := drive.Serve(t)
	to.Host, to.Port, to.Admin, to.Certificate = s.Host, s.Port, s.Admin, s.Certificate
	t.Run("vastpy-cli", func(t *testing.T) {
		if !*update {
			vast.Commands(t, to)
		} else if err := os.WriteFile(filepath.Join("testdata", "session.txt"), []byte(vast.Session(t, to)), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the SDK", func(t *testing.T) { vast.SDK(t, to) })
	s.CheckLog(vast.Password)
	// vastpy sends a request again after a 503, if the answer advises so. Each of the two
	// parts meets the limit once.
	if got := strings.Count(s.Log(), `"code":"token_limit_reached"`); got != 2 {
		t.Errorf("the log has %d refusals at the limit, want 2", got)
	}
}
