package attack

import (
	"net/http"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// onlyByComparison are the attacks that no call finds: whole older items that were
// put back, and deleted items. Only a comparison with the audit copies finds them.
var onlyByComparison = []attack{
	{name: "an older view put back", repair: revokedAgain("revoked"), found: audit.RolledBack, compared: ann,
		do:    putOlderBack(func(s *scene) place { return s.viewOf("revoked") }),
		check: func(s *scene, after string) { s.expectAsBefore(after, "revoked") }},
	{name: "an older view with scopes put back", repair: revokedAgain("ended"), found: audit.RolledBack, compared: bob,
		do:    putOlderBack(func(s *scene) place { return s.viewOf("ended") }),
		check: func(s *scene, after string) { s.expectAsBefore(after, "ended") }},
	{name: "a removed view", repair: restored, found: audit.MissingView, compared: ann,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.viewOf("scoped"), nil) },
		check: func(s *scene, after string) { gone(s, "scoped", after) }},
	{name: "a removed view of a revoked token", repair: restored, found: audit.MissingView, compared: ann,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.viewOf("revoked"), nil) },
		check: func(s *scene, after string) { gone(s, "revoked", after) }},
	{name: "older settings put back", repair: restored, found: audit.Broken, compared: events.SettingsStream,
		do: func(s *scene, all map[place]item) []place {
			p := s.victim.head(events.SettingsStream)
			return s.put(p, s.older(p, all[p])[2]) // evan has all permissions
		},
		check: func(s *scene, after string) {
			a := s.call(s.token("evan"), "GET", whoAmI, inRange, "")
			if got := decoded[httpapi.WhoAmI](s, a); len(got.Permissions) != 4 {
				s.Errorf("%s: got %s, want the permissions of the older settings", after, a)
			}
		}},
	{name: "an older head put back, compared", repair: restored, found: audit.RolledBack, compared: ann,
		do: func(s *scene, all map[place]item) []place {
			damaged := putOlderBack(func(s *scene) place { return s.victim.head(ann) })(s, all)
			for seq := range uint64(len(s.copies[ann]) - 1) {
				damaged = append(damaged, s.put(s.victim.record(ann, seq+2), nil)...)
			}
			return damaged
		},
		check: func(s *scene, after string) { s.expectOwners(after) }},
	{name: "a removed last record", repair: restored, found: audit.RolledBack, compared: ann,
		do: func(s *scene, _ map[place]item) []place {
			return s.put(s.victim.record(ann, uint64(len(s.copies[ann]))), nil)
		},
		check: func(s *scene, after string) { s.expectTruth(after) }},
	{name: "a removed record", repair: restored, found: audit.RolledBack, compared: ann,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.record(ann, 3), nil) },
		check: func(s *scene, after string) { s.expectTruth(after) }},
	{name: "a removed stream", repair: restored, found: audit.RolledBack, compared: ann,
		do: func(s *scene, _ map[place]item) []place {
			damaged := s.put(s.victim.head(ann), nil)
			for seq := range uint64(len(s.copies[ann])) {
				damaged = append(damaged, s.put(s.victim.record(ann, seq+1), nil)...)
			}
			return damaged
		},
		check: func(s *scene, after string) { s.expectOwners(after) }},
}

// putOlderBack puts the first state of an item back.
func putOlderBack(of func(*scene) place) func(*scene, map[place]item) []place {
	return func(s *scene, _ map[place]item) []place { return s.put(of(s), s.past[of(s)][0]) }
}

// expectAsBefore expects that the token passes within its scopes and ranges, as
// before its end, and that all other tokens are as the truth says.
func (s *scene) expectAsBefore(after, name string) {
	s.Helper()
	for _, h := range s.held {
		now := *h
		now.revoked = h.revoked && h.name != name
		for _, p := range probes(h.owner) {
			if a := s.call(h, p.method, p.path, p.from, ""); a.status != s.want(&now, p) {
				s.Errorf("%s: %s with the token %s: got %s, want %d", after, p.name, h.name, a, s.want(&now, p))
			}
		}
	}
}

// expectOwners expects that each token passes or is refused as before: no token
// needs the stream of its owner. Lists and histories may lack what was removed.
func (s *scene) expectOwners(after string) {
	s.Helper()
	for _, h := range s.held {
		p := probes(h.owner)[0]
		a := s.call(h, p.method, p.path, p.from, "")
		if a.status != s.want(h, p) || a.status == http.StatusOK && decoded[httpapi.WhoAmI](s, a).ID != name.Number(h.owner) {
			s.Errorf("%s: the token %s: got %s, want %d", after, h.name, a, s.want(h, p))
		}
	}
}
