package events_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// notices has one notice of each kind, with its id.
var notices = map[string]events.Notice{
	"TokenExpiring/L7k8ljIC/2026-11-21T12:00:00.123456Z/30": events.TokenExpiring{TokenID: "L7k8ljIC", Owner: "ann", Name: "ci", ExpiresAt: instant.Of(noon), Days: 30},
	"TokenReused/L7k8ljIC/7/2026-11-21": events.Reused(
		events.View{ID: "L7k8ljIC", Owner: "ann", Rotated: 7, OutgoingUntil: noon.Add(-time.Hour)}, noon.In(time.FixedZone("", 14*3600))),
}

// noticeFiles are the names of the schemas and samples of notices.
func noticeFiles() (names []string) {
	for _, kind := range events.NoticeKinds() {
		names = append(names, fileOf(kind, 1))
	}
	return names
}

// TestNoticesMatchTheirSchemasAndSamples: each kind is tested, and its event
// survives the way over the bus.
func TestNoticesMatchTheirSchemasAndSamples(t *testing.T) {
	var tested []string
	for id, n := range notices {
		m, err := events.NewNotice(n, noon)
		if err != nil {
			t.Fatal(err)
		}
		tested = append(tested, m.Type)
		if m.ID != id || m.Subject != "L7k8ljIC" || m.Seq != 0 || m.Stream != "" {
			t.Errorf("got %+v, want the id %s", m, id)
		}
		var keep time.Time
		if m.Type == "TokenExpiring" {
			keep = noon // its expiry
		}
		if !m.KeepUntil.Equal(keep) {
			t.Errorf("%s is kept until %v, want %v", id, m.KeepUntil, keep)
		}
		s := schema(t, events.SchemaID(m.Type, 1))
		if err := validate(t, s, m.Data); err != nil {
			t.Errorf("%s: %v", m.Type, err)
		}
		m.Deployment = published(recordOf(t, anns[0])).Deployment
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, detail(t, m), "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		path := filepath.Join("samples", fileOf(m.Type, 1))
		if _, err := os.Stat(path); *update && os.IsNotExist(err) {
			if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, pretty.Bytes()) {
			t.Errorf("the sample of %s: got %s, %v, want %s", m.Type, b, err, pretty.Bytes())
		}
		if back, err := events.ParseDetail(pretty.Bytes()); err != nil || back.ID != m.ID || !bytes.Equal(back.Data, m.Data) {
			t.Errorf("read back: got %+v, %v", back, err)
		}
		all, always := jsonMembers(reflect.TypeOf(n))
		if !slices.Equal(all, always) {
			t.Errorf("%s: some members may be absent: %v", m.Type, all)
		}
	}
	slices.Sort(tested)
	if !slices.Equal(tested, events.NoticeKinds()) {
		t.Errorf("tested are %v, want %v", tested, events.NoticeKinds())
	}
}
