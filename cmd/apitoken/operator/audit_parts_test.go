package operator

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/relay"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
	"apitoken/infra/eventfile"
)

// TestVerifyWithoutTheOldestParts: nothing is missing if the events in a part are past
// their retention and their tokens are removed. Otherwise verify names each event and
// each token that has no copy.
func TestVerifyWithoutTheOldestParts(t *testing.T) {
	x := folderScene(t)
	dir := x.args[1]
	f, err := datadir.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().AddDate(0, 0, -300)
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Now: func() time.Time { return now }})
	file, err := eventfile.Open(f.EventsPath(), f.Store.Deployment(), 1)
	if err != nil {
		t.Fatal(err)
	}
	days := 100 * 24 * time.Hour
	settingstest.Apply(t, f.Store, f.Keys, now, days, settings.Change{Retention: &days})
	create := func() string {
		made, _, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	past := create()
	now = now.Add(time.Minute)
	if err := i.Revoke(t.Context(), guard.Principal{Owner: "ann"}, past); err != nil {
		t.Fatal(err)
	}
	create() // it lives
	now = time.Now().Add(-time.Hour)
	later := create()
	create()
	r := relay.New(relay.Config{Outbox: f.Store, Bus: file})
	for more := true; more; {
		o, err := r.Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		more = o.Sent > 0
	}
	if _, err := f.Store.Collect(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	file.Close()
	f.Close()
	parts, err := eventfile.Parts(f.EventsPath())
	if err != nil || len(parts) != 5 {
		t.Fatalf("got %d parts, %v, want 5", len(parts), err) // the settings with the first creation, then one event each
	}
	verify := func(what string, ok bool, want ...string) {
		t.Helper()
		code, out, messages := x.audit(t, "verify")
		if (code == 0) != ok {
			t.Errorf("%s: got exit code %d, %s%s", what, code, out, messages)
		}
		for _, line := range want {
			if !strings.Contains(out, line) {
				t.Errorf("%s: got %swant a line with %q", what, out, line)
			}
		}
	}
	verify("all parts", true, "user/ann: 2 in the log, 5 copies")
	away := t.TempDir()
	move := func(part string) {
		t.Helper()
		if err := os.Rename(part, filepath.Join(away, filepath.Base(part))); err != nil {
			t.Fatal(err)
		}
	}
	move(parts[0])
	move(parts[1])
	verify("without the parts that are past their retention", true, "user/ann: 2 in the log, 3 copies")
	move(parts[2])
	verify("without the creation of a token that lives", true, "user/ann: 2 in the log, 2 copies")
	move(parts[3])
	verify("without an event that is kept", false, "missing user/ann/4: it is in the log and was never copied", fmt.Sprintf("uncopied_view token/%s: no copy", later))
	for _, part := range parts[:4] {
		if err := os.Rename(filepath.Join(away, filepath.Base(part)), part); err != nil {
			t.Fatal(err)
		}
	}
	verify("with all parts again", true)
}
