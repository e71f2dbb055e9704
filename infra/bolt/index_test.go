package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"

	"go.etcd.io/bbolt"
)

var (
	indexNow = time.Date(2026, 11, 21, 20, 59, 57, 642000000, time.UTC)
	ending   = events.View{Ended: events.EndedRevoked, KeepUntil: indexNow.Add(time.Hour)}
)

// put changes the file while the store is open.
func put(t *testing.T, s *Store, f func(*bbolt.Tx) error) {
	t.Helper()
	if err := s.db.Update(f); err != nil {
		t.Fatal(err)
	}
}

func tokens(t *testing.T, s *Store, q events.Query) events.Page {
	t.Helper()
	q.Now, q.Limit = indexNow, max(q.Limit, 1)
	p, err := s.Tokens(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAListSkipsTokensByTheIndexAndHasABound: the index has more than two calls
// may look at, and the entries have no views at all. So a call that looked at a
// view would report it as damaged.
func TestAListSkipsTokensByTheIndexAndHasABound(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	const entries = 2*maxScan + 1
	id := func(n int) string { return fmt.Sprintf("%08d", n) }
	put(t, s, func(tx *bbolt.Tx) error {
		active := indexValue(events.View{})
		for n := range entries {
			p := events.Position{At: indexNow.Add(time.Duration(n) * time.Microsecond), ID: id(n)}
			if err := tx.Bucket(orderBucket).Put(appendPosition(nil, p), active); err != nil {
				return err
			}
			if err := tx.Bucket(ownerBucket).Put(ownerKey("ann", p), active); err != nil {
				return err
			}
		}
		return nil
	})
	for _, owners := range [][]string{nil, {"ann"}} {
		q := events.Query{Owners: owners, States: []events.TokenState{events.StateRevoked, events.StateExpired, events.StateDisabled}}
		for _, want := range []string{id(maxScan - 1), id(2*maxScan - 1), ""} {
			p := tokens(t, s, q)
			if len(p.Views) != 0 || len(p.Damaged) != 0 || p.Next.ID != want || p.More != (want != "") {
				t.Errorf("%v: got %d views, %d damaged, next %v, more %t; want no views, and next %q", owners, len(p.Views), len(p.Damaged), p.Next, p.More, want)
			}
			q.After = p.Next
		}
	}
}

// TestAnIndexValueThatDiffersFromItsViewIsDamaged plants each value under which a
// list looks at the view of an active token.
func TestAnIndexValueThatDiffersFromItsViewIsDamaged(t *testing.T) {
	view := events.View{ID: "JhxND7ci", Owner: "ann", CreatedAt: indexNow.Add(-time.Hour), ExpiresAt: indexNow.Add(time.Hour)}
	good := indexValue(view)
	later := view
	later.ExpiresAt = later.ExpiresAt.Add(time.Microsecond)
	disabled := view
	disabled.Disabled = true
	kept := view
	kept.KeepUntil = indexNow.Add(time.Hour)
	for what, value := range map[string][]byte{
		"revoked": indexValue(ending), "disabled": indexValue(disabled), "another expiry": indexValue(later), "another retention": indexValue(kept),
		"empty": {}, "short": good[1:], "long": append(slices.Clone(good), 0), "an unknown ending": append([]byte{endedOther}, good[1:]...),
		"an unknown bit": append([]byte{8}, good[1:]...),
	} {
		s := openAt(t, newPath(t), Options{NoSync: true})
		commit(t, s, newCommit(t, "ann", events.Head{}, view))
		put(t, s, func(tx *bbolt.Tx) error {
			if err := tx.Bucket(orderBucket).Put(appendPosition(nil, view.Position()), value); err != nil {
				return err
			}
			return tx.Bucket(ownerBucket).Put(ownerKey("ann", view.Position()), value)
		})
		for _, owners := range [][]string{nil, {"ann"}} {
			p := tokens(t, s, events.Query{Owners: owners})
			if len(p.Views) != 0 || len(p.Damaged) != 1 || p.Damaged[0].TokenID != view.ID {
				t.Errorf("%s, owners %v: got %d views and damaged %v, want the token as damaged", what, owners, len(p.Views), p.Damaged)
			}
		}
	}
}

// TestAHiddenTokenIsFoundByItsIDAndByTheNextCommit: a writer of the file can hide
// a token from lists of its state, and nothing else.
func TestAHiddenTokenIsFoundByItsIDAndByTheNextCommit(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	view := events.View{ID: "JhxND7ci", Owner: "ann", CreatedAt: indexNow.Add(-time.Hour)}
	first := newCommit(t, "ann", events.Head{}, view)
	commit(t, s, first)
	put(t, s, func(tx *bbolt.Tx) error {
		return tx.Bucket(orderBucket).Put(appendPosition(nil, view.Position()), indexValue(ending))
	})
	active := events.Query{States: []events.TokenState{events.StateActive}}
	if p := tokens(t, s, active); len(p.Views)+len(p.Damaged) != 0 {
		t.Errorf("the list reads the views of tokens that its index does not select: got %v", p)
	}
	if _, _, err := s.Token(t.Context(), view.ID); err != nil {
		t.Errorf("Token: %v", err)
	}
	if p := tokens(t, s, events.Query{States: []events.TokenState{events.StateRevoked}}); len(p.Damaged) != 1 {
		t.Errorf("a list of the planted state: got %v, want the token as damaged", p)
	}
	c, err := events.NewCommit(storetest.Keys, first.Stream(), first.Head(), events.Meta{Command: "d", Actor: "ann", At: indexNow},
		[]events.Fact{events.TokenRevoked{TokenID: view.ID, Owner: "ann"}}, 1, nil, events.Effect{Changed: []events.View{view}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, c)
	if p := tokens(t, s, active); len(p.Views) != 1 || len(p.Damaged) != 0 {
		t.Errorf("after a commit about the token: got %v, want the token", p)
	}
}

// TestAPlantedIndexKeyIsDamaged: a key of another owner, of another time, without
// a view, and one that is too short.
func TestAPlantedIndexKeyIsDamaged(t *testing.T) {
	view := events.View{ID: "JhxND7ci", Owner: "ann", CreatedAt: indexNow.Add(-time.Hour)}
	at := view.Position()
	for what, c := range map[string]struct {
		owners []string
		bucket []byte
		key    []byte
		says   string
	}{
		"another owner":           {[]string{"eve"}, ownerBucket, ownerKey("eve", at), "another owner"},
		"another time":            {nil, orderBucket, appendPosition(nil, events.Position{At: at.At.Add(-time.Second), ID: at.ID}), "another time"},
		"another kind":            {nil, sessionOrderBucket, appendPosition(nil, at), "another kind"},
		"another kind, by owner":  {[]string{"ann"}, sessionOwnerBucket, ownerKey("ann", at), "another kind"},
		"no view":                 {nil, orderBucket, appendPosition(nil, events.Position{At: at.At, ID: "00000000"}), "view is missing"},
		"a short key":             {nil, orderBucket, bytes.Repeat([]byte{0xff}, timeLen-1), "too short"},
		"a short key of an owner": {[]string{"ann"}, ownerBucket, append(binary.BigEndian.AppendUint32(nil, 3), "ann\xff"...), "too short"},
	} {
		s := openAt(t, newPath(t), Options{NoSync: true})
		commit(t, s, newCommit(t, "ann", events.Head{}, view))
		put(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(c.bucket).Put(c.key, indexValue(view)) })
		found := 0
		q := events.Query{Owners: c.owners}
		if strings.Contains(what, "kind") {
			q.Kind = events.KindSession
		}
		for more := true; more; {
			p := tokens(t, s, q)
			for _, d := range p.Damaged {
				if found++; !strings.Contains(d.Error(), c.says) {
					t.Errorf("%s: got %v, want %q", what, d, c.says)
				}
			}
			q.After, more = p.Next, p.More
		}
		if found != 1 {
			t.Errorf("%s: got %d damaged views, want 1", what, found)
		}
	}
}

func TestIndexValuesKeepTheState(t *testing.T) {
	for _, ended := range []events.Ending{"", events.EndedRevoked, events.EndedExpired} {
		for n := range 4 {
			for _, at := range []time.Time{{}, indexNow} {
				want := events.View{Ended: ended, Disabled: n%2 > 0, Suspended: n/2 > 0, ExpiresAt: at, KeepUntil: at}
				if got, ok := stateIn(indexValue(want)); !ok || got.Ended != ended || got.Disabled != (n > 0) || !got.ExpiresAt.Equal(at) || !got.KeepUntil.Equal(at) {
					t.Errorf("%+v: got %+v, %t", want, got, ok)
				}
			}
		}
	}
	if _, ok := stateIn(indexValue(events.View{Ended: "other"})); ok {
		t.Error("an ending that this program does not know is read as one that it knows")
	}
}

// TestALongListContinuesInTheNextPage has more tokens than one call looks at, both
// before and after the first match.
func TestALongListContinuesInTheNextPage(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	start := time.Now().UTC().Truncate(time.Microsecond)
	base := events.Head{}
	var want []string
	for n := 0; n < 2*maxScan+100; {
		var vs []events.View
		for range 90 {
			v := events.View{ID: fmt.Sprintf("%08d", n), Owner: "ann", CreatedAt: start.Add(time.Duration(n) * time.Microsecond), Disabled: n%9_999 == 9_998}
			if v.Disabled {
				want = append(want, v.ID)
			}
			vs = append(vs, v)
			n++
		}
		c := newCommit(t, "ann", base, vs...)
		commit(t, s, c)
		base = c.Head()
	}
	for _, owners := range [][]string{nil, {"ann"}} {
		for _, limit := range []int{1, 2, 100} {
			q := events.Query{Owners: owners, States: []events.TokenState{events.StateDisabled}, Now: start, Limit: limit}
			var got []string
			for more := true; more; {
				p, err := s.Tokens(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range p.Views {
					got = append(got, v.ID)
				}
				more, q.After = p.More, p.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("by pages of %d: got %v, want %v", limit, got, want)
			}
		}
	}
}
