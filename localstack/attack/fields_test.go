package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// stores runs a test on the embedded store and on DynamoDB Local.
func stores(t *testing.T, run func(*testing.T, *scene)) {
	for name, open := range map[string]func(testing.TB) victim{"bolt": newBolt, "dynamo": newDynamo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newScene(t, open))
		})
	}
}

// TestAChangedMemberOfAViewIsAFault changes each member of views of all kinds.
func TestAChangedMemberOfAViewIsAFault(t *testing.T) {
	for _, name := range []string{"full", "ended", "plain", "expired", "lapsed", "revoked", "rotated", "disabled", "suspended"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores(t, func(t *testing.T, s *scene) { s.changeEachMember(s.token(name)) })
		})
	}
}

func (s *scene) changeEachMember(h *held) {
	s.Helper()
	s.expectTruth("before the attacks")
	before, genuine := s.entries(), s.remember()
	p, attacks := s.victim.view(h.id), 0
	for _, c := range s.changes(genuine, p) {
		after := fmt.Sprintf("after a view %s", c)
		if !s.victim.put(s, p, genuine[p].with(c)) {
			continue
		}
		attacks++
		s.restart()
		s.expectFaults(h, after)
		s.expectNoGain(after, s.token("other"))
		s.expectNoOtherEntries(before, after)
		s.expectLog(`"token_id":"`+h.id+`"`, after)
		s.repairAndRevoke(h, after, genuine, p)
	}
	s.expectTruth("after the repairs")
	if (attacks+1)*s.victim.share() < len(genuine[p])*5 {
		s.Errorf("only %d attacks on %d members", attacks, len(genuine[p]))
	}
}

// changes returns the changes of one member that this run makes. Each run makes
// other ones, if it does not make all.
func (s *scene) changes(genuine map[place]item, p place) (cs []change) {
	s.Helper()
	all := changesOf(genuine[p], s.older(p, genuine[p]), s.others(genuine, p))
	share := min(s.victim.share(), len(all))
	for n := rand.IntN(share); n < len(all); n += share {
		cs = append(cs, all[n])
	}
	return cs
}

// others returns the other items of the same kind.
func (s *scene) others(all map[place]item, p place) (others []item) {
	for _, q := range sorted(all) {
		if q != p && s.victim.kind(q) == s.victim.kind(p) {
			others = append(others, all[q])
		}
	}
	return others
}

// TestTwoChangedMembersOfAViewAreAFault changes pairs of members: all, or some on
// DynamoDB Local.
func TestTwoChangedMembersOfAViewAreAFault(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		for _, name := range []string{"full", "ended", "rotated"} {
			h := s.token(name)
			p := s.victim.view(h.id)
			older, members := s.older(p, genuine[p]), maps.Clone(genuine[p])
			for _, o := range older {
				maps.Copy(members, o)
			}
			names := slices.Sorted(maps.Keys(members))
			for n, first := range names {
				for _, second := range names[n+1:] {
					if rand.IntN(s.victim.share()) == 0 {
						s.changePair(h, p, genuine, older, first, second)
					}
				}
			}
		}
		s.expectTruth("after the repairs")
	})
}

// changePair tries all changes of two members together. After each of them the
// repaired token can be revoked.
func (s *scene) changePair(h *held, p place, genuine map[place]item, older []item, first, second string) {
	s.Helper()
	i := genuine[p]
	for _, c := range pairChanges(i, first, older) {
		for _, d := range pairChanges(i, second, older) {
			if !s.victim.put(s, p, i.with(c).with(d)) {
				continue
			}
			s.restart()
			after := fmt.Sprintf("after a view of %s %s and %s", h.name, c, d)
			s.expectDamage(s.call(h, "GET", whoAmI, inRange, ""), after, "who-am-i")
			s.expectDamage(s.call(s.admin, "GET", collection+"/"+h.id, inRange, ""), after, "a get")
			s.repairAndRevoke(h, after, genuine, p)
		}
	}
}

// TestAChangedMemberOfAHeadIsAFault changes each member of the heads of a user and
// of the settings.
func TestAChangedMemberOfAHeadIsAFault(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		for _, stream := range []events.Stream{"user/ann", events.SettingsStream} {
			p := s.victim.head(stream)
			for _, c := range s.changes(genuine, p) {
				after := fmt.Sprintf("after a head of %s %s", stream, c)
				if s.harmless(genuine, p, c) || !s.victim.put(s, p, genuine[p].with(c)) {
					continue
				}
				s.restart()
				s.expectHeadFaults(stream, after)
				s.expectNoGain(after, s.token("scoped"), s.token("ended"))
				s.repairAndRevoke(s.token("plain"), after, genuine, p)
			}
		}
		s.expectTruth("after the repairs")
	})
}

// harmless reports whether a change leaves the meaning of an item: it is of a
// member that the service does not read, or it removes zeros, as in the previous
// hash of a first record.
func (s *scene) harmless(genuine map[place]item, p place, c change) bool {
	value, has := genuine[p][c.member]
	if b, ok := value.([]byte); ok && len(bytes.Trim(b, "\x00")) == 0 && isNothing(c.value) {
		return true
	}
	unsealed := slices.Contains(s.victim.unsealed(s.victim.kind(p)), c.member)
	return unsealed && (!has || s.victim.kind(p) == record)
}

func isNothing(value any) bool {
	b, ok := value.([]byte)
	return value == removed || value == nil || ok && len(b) == 0
}

// expectHeadFaults expects that no call decides from the head or shows it.
func (s *scene) expectHeadFaults(stream events.Stream, after string) {
	s.Helper()
	plain, expect := s.token("plain"), s.expectDamage
	if stream == events.SettingsStream {
		expect = s.expectFault // the layout of a table is in this head, and may be that of another version
	}
	expect(s.askCreate(wish{Owner: "ann"}), after, "a create")
	expect(s.askRevoke(plain), after, "a revoke")
	expect(s.call(plain, "POST", collection, inRange, "{}"), after, "a create of the owner")
	if stream == events.SettingsStream {
		expect(s.call(plain, "GET", whoAmI, inRange, ""), after, "who-am-i")
		return
	}
	expect(s.call(plain, "GET", collection+"?user=ann", inRange, ""), after, "a list")
	expect(s.call(plain, "GET", "/v1/users/ann/events", inRange, ""), after, "a history")
}

// TestAChangedMemberOfARecordIsAFault changes each member of the first, a middle
// and the last record.
func TestAChangedMemberOfARecordIsAFault(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		plain := s.token("plain")
		history := func() answer { return s.call(plain, "GET", "/v1/users/ann/events?limit=1000", inRange, "") }
		want := history()
		all, _ := s.allEvents()
		last := uint64(len(s.copies["user/ann"]))
		for _, seq := range []uint64{1, last / 2, last} {
			p := s.victim.record("user/ann", seq)
			for _, c := range s.changes(genuine, p) {
				after := fmt.Sprintf("after record %d of ann %s", seq, c)
				if !s.victim.put(s, p, genuine[p].with(c)) {
					continue
				}
				s.restart()
				got := history()
				if sameBody := got.status == http.StatusOK && string(got.body) == string(want.body); !got.fault() && !(sameBody && s.harmless(genuine, p, c)) {
					t.Errorf("%s: a history: got %s, want a fault", after, got)
				}
				s.expectOnlyOneNamed(after, all, fmt.Sprintf("user/ann/%d", seq))
				s.expectNoGain(after, s.token("scoped"))
				s.repairAndRevoke(plain, after, genuine, p)
			}
		}
		s.expectTruth("after the repairs")
	})
}

// allEvents returns the events of all users by id, and the ids of those that are
// named as damaged.
func (s *scene) allEvents() (all map[string]string, damaged []string) {
	s.Helper()
	a := s.call(s.admin, "GET", "/v1/events?limit=1000", inRange, "")
	var page httpapi.EventsPage
	if err := json.Unmarshal(a.body, &page); err != nil || a.status != http.StatusOK || page.Paging.Next != "" {
		s.Fatalf("the events of all users: got %s, %v, want one page", a, err)
	}
	all = map[string]string{}
	for _, entry := range page.Entries {
		m, err := events.ParseDetail(entry)
		if err != nil {
			s.Fatal(err)
		}
		all[m.ID] = string(entry)
	}
	return all, page.Damaged
}

// expectOnlyOneNamed expects all events as they were, but one: that is as it was, or
// it is left out and named.
func (s *scene) expectOnlyOneNamed(after string, all map[string]string, changed string) {
	s.Helper()
	got, damaged := s.allEvents()
	if _, shown := got[changed]; !shown && slices.Equal(damaged, []string{changed}) {
		got[changed], damaged = all[changed], nil
	}
	if len(damaged) > 0 || !maps.Equal(got, all) {
		s.Errorf("%s: the events of all users: got %d, damaged %q, want the same %d, or without %s", after, len(got), damaged, len(all), changed)
	}
}

// TestOtherChangedMembersHaveNoGain changes each member of the items that have no
// seal: last uses, indexes, the outbox, and what later versions add. A last use is
// only displayed.
func TestOtherChangedMembersHaveNoGain(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		before, genuine := s.entries(), s.remember()
		for _, p := range sorted(genuine) {
			if k := s.victim.kind(p); k != use && k != other {
				continue
			}
			for _, c := range s.changes(genuine, p) {
				after := fmt.Sprintf("after %q %q %s", p.space, p.key, c)
				if !s.victim.put(s, p, genuine[p].with(c)) {
					continue
				}
				s.restart()
				s.expectNoGain(after, s.token("bound"), s.token("scoped"), s.token("revoked"), s.token("rotated"), s.token("suspended"))
				if a := s.call(s.admin, "GET", collection+"?limit=1000&state=active,disabled,expired,revoked", inRange, ""); !a.fault() {
					s.expectNoOtherEntries(before, after)
				}
				s.repairAndRevoke(s.token("plain"), after, genuine, p)
			}
		}
		s.expectTruth("after the repairs")
	})
}
