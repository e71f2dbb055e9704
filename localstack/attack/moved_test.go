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
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("other"), all[s.viewOf("plain")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("other"), after) }},
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
			s.expectFault(s.askCreate(wish{Owner: "zoe"}), after, "a create for the user")
			s.expectTruth(after)
		}},
	{name: "a removed head", repair: restored,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.head(ann), nil) },
		check: func(s *scene, after string) { s.expectHeadFaults(ann, after) }},
	{name: "a removed head of the settings", repair: restored,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.head(events.SettingsStream), nil) },
		check: func(s *scene, after string) { s.expectHeadFaults(events.SettingsStream, after) }},
	{name: "an older head put back", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			p := s.victim.head(ann)
			return s.put(p, s.older(p, all[p])[0])
		},
		check: expectNoWrites},
	{name: "a record of another user at the next sequence", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.next(ann), all[s.victim.record(bob, 1)]) },
		check: expectNoWrites},
	{name: "a record of the user at the next sequence", repair: restored,
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

// next returns the place of the next record of a stream.
func (s *scene) next(stream events.Stream) place {
	return s.victim.record(stream, uint64(len(s.copies[stream]))+1)
}

// expectNoWrites expects that no command writes to ann's stream, and that all
// tokens pass or are refused as before.
func expectNoWrites(s *scene, after string) {
	s.Helper()
	s.expectFault(s.askCreate(wish{Owner: "ann"}), after, "a create")
	s.expectFault(s.askRevoke(s.token("plain")), after, "a revoke")
	for _, h := range s.held {
		if a := s.call(h, "GET", whoAmI, inRange, ""); a.status != s.want(h, probes(h.owner)[0]) {
			s.Errorf("%s: the token %s: got %s", after, h.name, a)
		}
	}
}

func expectNoHistory(s *scene, after string) {
	s.Helper()
	s.expectFault(s.call(s.admin, "GET", "/v1/users/ann/events", inRange, ""), after, "a history")
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
