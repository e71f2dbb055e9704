package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/storetest"
)

// forger has other peppers: of the same name, and of an unknown name.
func forger(t *testing.T, kid string) events.Keys {
	t.Helper()
	k, err := events.ParseKeys(kid + ":" + strings.Repeat("REVG", 11))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// planted is a copy that must not be believed. It says that the token live was
// revoked.
type planted struct {
	what string
	says string // the reason that the command prints
	make func(t *testing.T, x *reapplyScene) (m events.Message, text string)
}

// reapplyScene has copies up to the revocation of a token that the log still has.
type reapplyScene struct {
	*auditScene
	live, revoked string
	head          events.Head // after the genuine revocation
}

var plantedCopies = []planted{
	{"an invented hash", "its hash does not match its content", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, x.keys, "user/ann", x.head, x.live)
		m.Seq, m.ID, m.Hash, m.Prev = 99, "user/ann/99", events.Hash{}, events.Hash{0x11}
		return m, ""
	}},
	{"a chain of its own", "its MAC is wrong", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, forger(t, x.keys.Current()), "user/ann", events.Head{Version: 98, Hash: events.Hash{0x11}}, x.live)
		return m, ""
	}},
	{"the right chain with a wrong MAC", "its MAC is wrong", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, forger(t, x.keys.Current()), "user/ann", x.head, x.live)
		return m, ""
	}},
	{"an unknown kid", `pepper "gone": unknown pepper`, func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, forger(t, "gone"), "user/ann", x.head, x.live)
		return m, ""
	}},
	{"an event of another stream", "", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, x.keys, "user/bob", x.head, x.live)
		return m, changedText(t, m, "user/bob", "user/ann")
	}},
	{"a changed member", "its hash does not match its content", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		m, _ := revocation(t, x.keys, "user/ann", x.head, x.revoked)
		return m, changedText(t, m, x.revoked, x.live)
	}},
	{"a missing copy before it", "the copy before it is missing", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		_, next := revocation(t, x.keys, "user/ann", x.head, x.revoked)
		m, _ := revocation(t, x.keys, "user/ann", next, x.live)
		return m, ""
	}},
	{"another event before it", "it does not continue from copy 3", func(t *testing.T, x *reapplyScene) (events.Message, string) {
		other := x.head
		other.Hash = events.Hash{0x11}
		m, _ := revocation(t, x.keys, "user/ann", other, x.live)
		return m, ""
	}},
}

// newReapplyScene makes two live tokens of ann, and a copy of a revocation of one
// of them.
func newReapplyScene(t *testing.T, a *auditScene) *reapplyScene {
	t.Helper()
	x := &reapplyScene{auditScene: a}
	s := x.open()
	x.live, x.revoked = x.create(t, s, "ann"), x.create(t, s, "ann")
	head := x.copyAll(t, s, "user/ann")
	var m events.Message
	m, x.head = revocation(t, x.keys, "user/ann", head, x.revoked)
	x.copy("user/ann", m, "")
	x.close()
	return x
}

func TestReapplyBelievesNoPlantedCopy(t *testing.T) {
	for _, c := range plantedCopies {
		t.Run(c.what, func(t *testing.T) {
			eachAuditScene(t, func(t *testing.T, a *auditScene) {
				x := newReapplyScene(t, a)
				m, text := c.make(t, x)
				x.copy("user/ann", m, text)
				code, out, messages := x.audit(t, "reapply")
				want := fmt.Sprintf("user/ann/%d: refused: ", m.Seq)
				if code != console.ExitFailed || !strings.Contains(out, want) || !strings.Contains(out, c.says) || strings.Count(out, "refused") != 1 {
					t.Errorf("got exit code %d, %q, %q, want %d and %q once, with %q", code, out, messages, console.ExitFailed, want, c.says)
				}
				s := x.open()
				defer x.close()
				x.expectEnded(t, s, x.live, "")
				x.expectEnded(t, s, x.revoked, events.EndedRevoked)
			})
		})
	}
}

// TestReapplyBelievesGenuineCopies: the oldest copies may be missing, and pages and
// a second run change nothing.
func TestReapplyBelievesGenuineCopies(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, a *auditScene) {
		s := a.open()
		ids := []string{a.create(t, s, "ann"), a.create(t, s, "ann")}
		head, err := s.Head(t.Context(), "user/ann")
		if err != nil {
			t.Fatal(err)
		}
		a.close()
		var m events.Message
		for _, id := range ids {
			m, head = revocation(t, a.keys, "user/ann", head, id)
			a.copy("user/ann", m, "")
		}
		code, out, messages := a.audit(t, "reapply")
		if code != 0 || strings.Count(out, "is revoked again\n") != 2 || messages != "" {
			t.Errorf("got exit code %d, %q, %q, want 0 and two tokens", code, out, messages)
		}
		if code, out, _ = a.audit(t, "reapply"); code != 0 || out != "" {
			t.Errorf("the second run: got exit code %d, %q, want 0 and nothing", code, out)
		}
		s = a.open()
		defer a.close()
		for _, id := range ids {
			a.expectEnded(t, s, id, events.EndedRevoked)
		}
	})
}

// TestReapplyGoesOnAfterADamagedStream damages a copy of ann and the head of bob.
// The revocation of carol is reapplied.
func TestReapplyGoesOnAfterADamagedStream(t *testing.T) {
	eachAuditScene(t, func(t *testing.T, a *auditScene) {
		s := a.open()
		ids := map[string]string{}
		for _, owner := range []string{"ann", "bob", "carol"} {
			stream := events.UserStream(owner)
			ids[owner] = a.create(t, s, owner)
			m, head := revocation(t, a.keys, stream, a.copyAll(t, s, stream), ids[owner])
			a.copy(stream, m, "")
			if owner == "ann" {
				m, _ = revocation(t, a.keys, stream, head, ids[owner])
				a.copy(stream, m, "rubbish")
			}
		}
		s.(storetest.Attacker).SetHeadVersion(t, "user/bob", 7)
		a.close()
		code, out, messages := a.audit(t, "reapply")
		if code != console.ExitFailed || !strings.Contains(out, "user/bob: failed: revoking again: ") || !strings.Contains(messages, "1 streams failed") && !strings.Contains(messages, "2 streams failed") {
			t.Errorf("got exit code %d, %q, %q, want %d and a line about bob", code, out, messages, console.ExitFailed)
		}
		if !strings.Contains(out, "line 3: refused: ") && !strings.Contains(out, "user/ann: failed: ") {
			t.Errorf("got %q, want a line about the damaged copy of ann", out)
		}
		if want := "user/carol: token " + ids["carol"] + " is revoked again\n"; !strings.Contains(out, want) {
			t.Errorf("got %q, want %q in it", out, want)
		}
		s = a.open()
		defer a.close()
		a.expectEnded(t, s, ids["carol"], events.EndedRevoked)
	})
}

// someCopies returns copies without a store. Each call gets the whole list, as from
// a reader with an error in its paging.
type someCopies []events.Message

func (c someCopies) Copy(_ context.Context, _ events.Stream, after uint64, limit int) ([]events.Message, error) {
	return c[:min(limit, len(c))], nil
}

func TestEachCopyEndsIfSequencesDoNotGrow(t *testing.T) {
	full := make(someCopies, copiesPage)
	for i := range full {
		full[i].Seq = uint64(i + 1)
	}
	stuck := slices.Clone(full)
	stuck[copiesPage-1].Seq = 0
	for name, c := range map[string]someCopies{
		"the same page again": full, "a last sequence of 0": stuck, "a repeat": {{Seq: 1}, {Seq: 1}}, "another order": {{Seq: 2}, {Seq: 1}}, "no sequence": {{}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		s := &source{copies: c}
		err := s.eachCopy(ctx, "user/ann", func(events.Message) error { return ctx.Err() })
		cancel()
		if !errors.Is(err, errCopyOrder) {
			t.Errorf("%s: got %v, want %v", name, err, errCopyOrder)
		}
	}
}

// TestACopyOfAnotherStreamIsRefused: the event file groups copies by the stream
// that they name; a table need not.
func TestACopyOfAnotherStreamIsRefused(t *testing.T) {
	m, _ := revocation(t, storetest.Keys, "user/bob", events.Head{}, "JhxND7ci")
	c := copyCheck{keys: storetest.Keys, stream: "user/ann"}
	if err := c.next(m); err == nil || !strings.Contains(err.Error(), `it belongs to stream "user/bob"`) {
		t.Errorf("got %v, want a refusal that names the stream", err)
	}
	c = copyCheck{keys: storetest.Keys, stream: "user/bob"}
	if err := c.next(m); err != nil {
		t.Errorf("in its own stream: got %v", err)
	}
}
