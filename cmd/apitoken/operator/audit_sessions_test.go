package operator

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

const annsSessions events.Stream = "session/ann"

// openSession opens a session of ann, and returns its id.
func (x *auditScene) openSession(t *testing.T, s events.Store) string {
	t.Helper()
	opened, _, err := issuer.New(issuer.Config{Store: s, Keys: x.keys}).OpenSession(t.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaPassword})
	if err != nil {
		t.Fatal(err)
	}
	return opened.ID
}

// closeSession ends a session of ann by ann.
func (x *auditScene) closeSession(t *testing.T, s events.Store, id string) {
	t.Helper()
	if err := issuer.New(issuer.Config{Store: s, Keys: x.keys}).Revoke(t.Context(), guard.Principal{Owner: "ann"}, id); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyComparesSessions: their stream, also without a copy of it, and a view that
// was put back.
func TestVerifyComparesSessions(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		s := x.open()
		first, second := x.openSession(t, s), x.openSession(t, s)
		old := s.Item(t, s.ViewKey(first))
		x.closeSession(t, s, first)
		x.copyAll(t, s, annsSessions)
		x.close()
		if code, out, messages := x.audit(t, "verify"); code != 0 || !strings.Contains(out, "session/ann: 3 in the log, 3 copies") {
			t.Fatalf("got exit code %d, %q, %q", code, out, messages)
		}
		s = x.open()
		s.PutItem(t, s.ViewKey(first), old)
		x.close()
		code, out, _ := x.audit(t, "verify")
		if code != console.ExitFailed || !strings.Contains(out, first) || strings.Contains(out, second) {
			t.Errorf("with a session that was put back: got exit code %d, %q", code, out)
		}
	})
}

// TestReapplyClosesSessionsAgain: the copies have an end that the log lost.
func TestReapplyClosesSessionsAgain(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		s := x.open()
		closed, live := x.openSession(t, s), x.openSession(t, s)
		head := x.copyAll(t, s, annsSessions)
		facts := []events.Fact{events.SessionClosed{TokenID: closed, Owner: "ann", Cause: events.CauseSignOut}}
		c, err := events.NewCommit(x.keys, annsSessions, head, events.Meta{Command: rand.Text(), Actor: "ann", At: time.Now()}, facts, 1, []byte("{}"), events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		x.copy(annsSessions, c.Records()[0].Message(), "")
		x.close()
		code, out, messages := x.audit(t, "reapply")
		if code != 0 || !strings.Contains(out, "session/ann: session "+closed+" is closed again\n") || strings.Contains(out, live) {
			t.Errorf("got exit code %d, %q, %q", code, out, messages)
		}
		s = x.open()
		x.expectEnded(t, s, closed, events.EndedRevoked)
		x.expectEnded(t, s, live, "")
		x.close()
	})
}

// TestRepairFoldsSessions: the head of a stream of sessions was put back, with the view.
func TestRepairFoldsSessions(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		s := x.open()
		closed, live := x.openSession(t, s), x.openSession(t, s)
		head, view := s.Item(t, s.HeadKey(annsSessions)), s.Item(t, s.ViewKey(closed))
		x.closeSession(t, s, closed)
		third := x.openSession(t, s)
		s.PutItem(t, s.HeadKey(annsSessions), head)
		s.PutItem(t, s.ViewKey(closed), view)
		x.close()
		code, out, messages := x.repair(t, string(annsSessions))
		if code != 0 || !strings.Contains(out, "session/ann: the head of version 2 was put back; its version is now 4") {
			t.Errorf("got exit code %d, %q, %q", code, out, messages)
		}
		s = x.open()
		x.expectEnded(t, s, closed, events.EndedRevoked)
		x.expectEnded(t, s, live, "")
		x.expectEnded(t, s, third, "")
		x.closeSession(t, s, third)
		x.close()
	})
}

// TestExportHasTheSessionsOfAnOwner beside the tokens.
func TestExportHasTheSessionsOfAnOwner(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, x *auditScene) {
		s := x.open()
		id, made := x.openSession(t, s), x.create(t, s, "ann")
		x.create(t, s, "bob")
		for _, stream := range []events.Stream{annsSessions, "user/ann", "user/bob"} {
			x.copyAll(t, s, stream)
		}
		x.close()
		args := append([]string{"audit", "export", "--owner", "ann"}, x.args[len(x.args)-2:]...)
		if x.env == nil {
			args = append([]string{"audit", "export", "--owner", "ann"}, x.args...)
		}
		code, out, messages := x.run(t, args...)
		if code != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, id) || !strings.Contains(out, made) {
			t.Errorf("got exit code %d, %q, %q", code, out, messages)
		}
	})
}
