package attack

import (
	"net/http"
	"strings"

	"apitoken/events"
	"apitoken/events/secret"
)

const ann, bob = events.Stream("user/ann"), events.Stream("user/bob")

// forged is a token of the attacker.
var forged = secret.Mint("")

// moved are the attacks with whole items that the next call finds.
var moved = []attack{
	{name: "a view of another token of the owner", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("scoped"), all[s.viewOf("full")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("scoped"), after) }},
	{name: "a view of another owner's token", repair: restored,
		do: func(s *scene, all map[place]item) []place { return s.put(s.viewOf("other"), all[s.viewOf("plain")]) },
		check: func(s *scene, after string) {
			s.expectFaults(s.token("other"), after)
			s.restart()
			s.entries()
			s.expectLog(`"token_id":"`+s.token("other").id+`"`, after+", a list")
		}},
	{name: "a live view in place of a revoked one", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("revoked"), all[s.viewOf("plain")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("revoked"), after) }},
	{name: "a view under a new id", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.view(forged.ID), all[s.viewOf("plain")])
		},
		check: func(s *scene, after string) {
			s.expectFaults(&held{id: forged.ID, owner: "ann", text: forged.Text().Reveal()}, after)
			s.expectTruth(after)
		}},
	{name: "a head of another user", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.victim.head(ann), all[s.victim.head(bob)]) },
		check: func(s *scene, after string) { s.expectHeadFaults(ann, after) }},
	{name: "a head of a user for the settings", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.head(events.SettingsStream), all[s.victim.head(bob)])
		},
		check: func(s *scene, after string) { s.expectHeadFaults(events.SettingsStream, after) }},
	{name: "a head for a user without tokens", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.head("user/zoe"), all[s.victim.head(ann)])
		},
		check: func(s *scene, after string) {
			s.expectDamage(s.askCreate(wish{Owner: "zoe"}), after, "a create for the user")
			s.expectTruth(after)
		}},
	{name: "a removed head", repair: restored,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.head(ann), nil) },
		check: func(s *scene, after string) { s.expectHeadFaults(ann, after) }},
	{name: "a removed head of the settings", repair: restored,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.head(events.SettingsStream), nil) },
		check: func(s *scene, after string) { s.expectHeadFaults(events.SettingsStream, after) }},
	{name: "an older head put back", repair: repaired,
		do: func(s *scene, all map[place]item) []place {
			p := s.victim.head(ann)
			return s.put(p, s.older(p, all[p])[0])
		},
		check: func(s *scene, after string) {
			expectNoWrites(s, after)
			s.expectLog("the head was put back to an older one", after)
		}},
	{name: "a record of a forger that continues the chain", repair: repaired,
		do: func(s *scene, all map[place]item) []place { return s.put(s.next(ann), s.forgedRecord(all)) },
		check: func(s *scene, after string) {
			expectNoWrites(s, after)
			s.expectLog("the record was planted", after)
			if a := s.call(s.admin, "GET", "/v1/users/ann/events?limit=1000", inRange, ""); a.status != http.StatusOK || strings.Contains(string(a.body), forged.ID) {
				s.Errorf("%s: a history: got %s, want the one up to the head", after, a)
			}
			if _, damaged := s.allEvents(); len(damaged) != 1 || !strings.HasPrefix(damaged[0], "user/ann/") {
				s.Errorf("%s: the events of all users name %q as damaged, want the planted one", after, damaged)
			}
		}},
	{name: "a record of another user at the next sequence", repair: repaired,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.next(ann), all[s.victim.record(bob, 1)]) },
		check: expectNoWrites},
	{name: "a record of the user at the next sequence", repair: repaired,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.next(ann), all[s.victim.record(ann, 2)]) },
		check: expectNoWrites},
	{name: "two records exchanged", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			one, two := s.victim.record(ann, 1), s.victim.record(ann, 2)
			return append(s.put(one, all[two]), s.put(two, all[one])...)
		},
		check: expectNoHistory},
	{name: "a record of another user", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.record(ann, 2), all[s.victim.record(bob, 2)])
		},
		check: expectNoHistory},
	{name: "items of the attacker in the partition of a token", repair: restored,
		do: fillPartition, check: func(s *scene, after string) { s.expectNoGain(after, s.token("plain")) }},
}

// forgedRecord returns a record that continues ann's stream. Its forger has a
// pepper of the same name, writes the record into a store of its own, and copies
// the item.
func (s *scene) forgedRecord(all map[place]item) item {
	s.Helper()
	base, err := s.victim.service(s).Head(s.Context(), ann)
	if err != nil {
		s.Fatal(err)
	}
	forger, err := events.ParseKeys(keys.Current() + ":" + strings.Repeat("REVG", 11))
	if err != nil {
		s.Fatal(err)
	}
	facts := []events.Fact{events.TokenCreated{TokenID: forged.ID, Owner: "ann", Creator: "admin"}}
	c, err := events.NewCommit(forger, ann, base, events.Meta{Command: "forged", Actor: "admin", At: s.now}, facts, base.StateV, base.State, events.Effect{})
	if err != nil {
		s.Fatal(err)
	}
	own := s.open(s)
	own.service(s) // makes the file
	own.put(s, own.head(ann), all[own.head(ann)])
	if err := own.service(s).Commit(s.Context(), c); err != nil {
		s.Fatal(err)
	}
	return own.item(s, own.record(ann, c.Head().Version))
}

// next returns the place of the next record of a stream.
func (s *scene) next(stream events.Stream) place {
	return s.victim.record(stream, uint64(len(s.copies[stream]))+1)
}

// expectNoWrites expects that no command writes to ann's stream, and that all
// tokens pass or are refused as before.
func expectNoWrites(s *scene, after string) {
	s.Helper()
	s.expectDamage(s.askCreate(wish{Owner: "ann"}), after, "a create")
	s.expectDamage(s.askRevoke(s.token("plain")), after, "a revoke")
	for _, h := range s.held {
		if a := s.call(h, "GET", whoAmI, inRange, ""); a.status != s.want(h, probes(h.owner)[0]) {
			s.Errorf("%s: the token %s: got %s", after, h.name, a)
		}
	}
}

func expectNoHistory(s *scene, after string) {
	s.Helper()
	s.expectDamage(s.call(s.admin, "GET", "/v1/users/ann/events", inRange, ""), after, "a history")
	s.expectNoGain(after, s.held...)
}

// fillPartition puts more bytes before a view than DynamoDB reads at once (AWS
// limit: 1 MB). The view is then not in the first page of its partition.
func fillPartition(s *scene, _ map[place]item) (planted []place) {
	s.Helper()
	v := s.viewOf("plain")
	for _, name := range []string{"A", "B", "C"} {
		p := place{v.space, name}
		if s.victim.kind(p) == view {
			continue // the bucket of the views: the item is the view of a token A
		}
		planted = append(planted, s.put(p, item{"x": strings.Repeat("x", 390_000)})...)
	}
	return planted
}

// gone is the answer of the guard without a view.
func gone(s *scene, name, after string) {
	s.Helper()
	if a := s.call(s.token(name), "GET", whoAmI, inRange, ""); a.status != http.StatusUnauthorized {
		s.Errorf("%s: the token %s: got %s, want 401", after, name, a)
	}
}
