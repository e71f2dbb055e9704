package operator

import (
	"strings"
	"testing"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
)

// logArgs are the flags of a command that needs the log only.
func (x *auditScene) logArgs() []string { return x.args[:2] }

func (x *auditScene) repair(t *testing.T, stream string) (code int, out, messages string) {
	t.Helper()
	return x.run(t, append([]string{"audit", "repair", "--stream", stream}, x.logArgs()...)...)
}

// TestRepairEndsTheBlockOfAStream plants a record, puts a head back, and does both,
// in a user's stream. After each repair the log and its copies agree, and commands
// work.
func TestRepairEndsTheBlockOfAStream(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		attacks := []struct {
			what   string
			before func(s attackedStore) (again func())
			lines  []string
		}{
			{"nothing", func(attackedStore) func() { return func() {} }, []string{"user/ann: nothing to repair"}},
			{"a planted record", func(s attackedStore) func() {
				return func() { s.PutItem(t, s.RecordKey("user/ann", 2), s.Item(t, s.RecordKey("user/bob", 1))) }
			}, []string{"user/ann/2: the planted record is removed: "}},
			{"a head that was put back, and a planted record", func(s attackedStore) func() {
				head := s.Item(t, s.HeadKey("user/ann"))
				x.create(t, s, "ann")
				return func() {
					s.PutItem(t, s.HeadKey("user/ann"), head)
					s.PutItem(t, s.RecordKey("user/ann", 9), s.Item(t, s.RecordKey("user/bob", 1)))
				}
			}, []string{"user/ann/9: the planted record is removed: ", "user/ann: the head of version 2 was put back; its version is now 3"}},
		}
		s := x.open()
		x.create(t, s, "ann")
		x.create(t, s, "bob")
		for i, a := range attacks {
			if i == 2 {
				x.create(t, s, "ann")
			}
			attack := a.before(s)
			x.copyAll(t, s, "user/ann")
			x.copyAll(t, s, "user/bob")
			attack()
			x.close()
			code, out, messages := x.repair(t, "user/ann")
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			for n, want := range a.lines {
				if code != 0 || len(lines) != len(a.lines) || !strings.HasPrefix(lines[n], want) {
					t.Errorf("%s: got exit code %d, %q, %q, want lines %q", a.what, code, out, messages, a.lines)
				}
			}
			if code, out, messages := x.audit(t, "verify"); code != 0 {
				t.Errorf("%s: verify after the repair: got exit code %d, %q, %q, want 0", a.what, code, out, messages)
			}
			s = x.open()
		}
		x.create(t, s, "ann")
		x.close()
	})
}

// TestRepairRefusesADamagedHead: it says what to do, and changes nothing.
func TestRepairRefusesADamagedHead(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		s := x.open()
		x.create(t, s, "ann")
		s.SetHeadVersion(t, "user/ann", 7)
		x.close()
		code, out, messages := x.repair(t, "user/ann")
		if code != console.ExitFailed || out != "" || !strings.Contains(messages, "repair needs a sound head and changes nothing: restore the log") {
			t.Errorf("got exit code %d, %q, %q, want %d and what to do", code, out, messages, console.ExitFailed)
		}
	})
}

func TestStreamsAreReadByTheirNames(t *testing.T) {
	for text, want := range map[string]events.Stream{
		"settings": "settings", "user/ann": "user/ann", "user/ACTIVE_DIRECTORY:ann": "user/ACTIVE_DIRECTORY:ann",
		"user/local:ann": "user/ann", "": "", "ann": "", "user": "", "user/": "", "users/ann": "", "settings/1": "", "session/ann": "session/ann", "session/local:ann": "session/ann", "session/": "",
	} {
		if got, err := streamNamed(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}
