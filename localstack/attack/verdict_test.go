package attack

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"apitoken/events"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// probe is a call with a token whose answer shows the verdict of the guard.
type probe struct {
	name, method, path, from string
	scope                    string // the scope that the call needs; empty: none
}

// probes returns calls in range and out of range, within common scopes and out of
// them, for a token of the owner.
func probes(owner string) []probe {
	return []probe{
		{"who-am-i", "GET", whoAmI, inRange, ""},
		{"who-am-i from elsewhere", "GET", whoAmI, outOfRange, ""},
		{"a list", "GET", collection + "?user=" + owner, inRange, "GET " + collection + "*"},
		{"a history", "GET", "/v1/users/" + owner + "/events", inRange, "GET /v1/users/*"},
	}
}

// want is the status of a call with the token, by the truth.
func (s *scene) want(h *held, p probe) int {
	inside := func(r string) bool { return netip.MustParsePrefix(r).Contains(netip.MustParseAddr(p.from)) }
	switch {
	case h.revoked, h.off, s.expired(h):
		return http.StatusUnauthorized
	case len(h.ranges) > 0 && !slices.ContainsFunc(h.ranges, inside):
		return http.StatusForbidden
	case p.scope != "" && len(h.scopes) > 0 && !slices.Contains(h.scopes, p.scope):
		return http.StatusForbidden
	}
	return http.StatusOK
}

func (s *scene) expired(h *held) bool { return !h.expires.IsZero() && !s.now.Before(h.expires) }

func (s *scene) live(h *held) bool { return !h.revoked && !s.expired(h) }

// expectTruth expects that each call with each token is answered as the truth
// says.
func (s *scene) expectTruth(after string) {
	s.Helper()
	for _, token := range s.all() {
		for _, h := range token.secrets() {
			for _, p := range probes(h.owner) {
				if a := s.call(h, p.method, p.path, p.from, ""); a.status != s.want(h, p) {
					s.Errorf("%s: %s with the token %s: got %s, want %d", after, p.name, h.name, a, s.want(h, p))
				}
			}
		}
	}
}

// expectNoGain expects that each call with each token is answered as the truth
// says, or is a fault.
func (s *scene) expectNoGain(after string, tokens ...*held) {
	s.Helper()
	for _, token := range tokens {
		for _, h := range token.secrets() {
			for _, p := range probes(h.owner) {
				s.expectNoGainOf(h, p, after)
			}
		}
	}
}

func (s *scene) expectNoGainOf(h *held, p probe, after string) {
	s.Helper()
	a := s.call(h, p.method, p.path, p.from, "")
	if a.status != s.want(h, p) && !a.fault() {
		s.Errorf("%s: %s with the token %s: got %s, want %d or a fault", after, p.name, h.name, a, s.want(h, p))
	}
	if p.path == whoAmI && a.status == http.StatusOK {
		s.expectSelf(h, a, after)
	}
}

// expectSelf expects that an answer of who-am-i has the owner, and of a session the
// permissions.
func (s *scene) expectSelf(h *held, a answer, after string) {
	s.Helper()
	self := decoded[httpapi.WhoAmI](s, a)
	if self.ID != name.Number(h.owner) || slices.Contains(s.opened, h) && !slices.Equal(self.Permissions, h.permissions) {
		s.Errorf("%s: the token %s acts for another owner, or has other permissions: %s", after, h.name, a)
	}
}

// expectFaults expects that every call that reads the view of the token is a
// fault that asks for no retry.
func (s *scene) expectFaults(h *held, after string) {
	s.Helper()
	for _, shown := range h.secrets() {
		for _, p := range probes(h.owner) {
			s.expectDamage(s.call(shown, p.method, p.path, p.from, ""), after, p.name)
		}
	}
	one := collection + "/" + h.id
	s.expectDamage(s.call(s.admin, "GET", one, inRange, ""), after, "a get")
	s.expectDamage(s.call(s.admin, "GET", one+"/events", inRange, ""), after, "a history of the token")
	s.expectDamage(s.askRevoke(h), after, "a revoke")
	s.expectDamage(s.call(s.admin, "POST", "/v1/auth/authorize", inRange, `{"token":"`+h.text+`"}`), after, "an introspection")
}

// expectDamage expects a fault that asks for no retry, because none can help.
func (s *scene) expectDamage(a answer, after, what string) {
	s.Helper()
	if a.status != http.StatusInternalServerError || strings.Contains(string(a.body), `"retryable":true`) {
		s.Errorf("%s: %s: got %s, want 500 without a retry", after, what, a)
	}
}

func (s *scene) expectFault(a answer, after, what string) {
	s.Helper()
	if !a.fault() {
		s.Errorf("%s: %s: got %s, want a fault", after, what, a)
	}
}

// expectLog expects an error with the text in the log of the service.
func (s *scene) expectLog(text, after string) {
	s.Helper()
	if !strings.Contains(s.log.String(), text) {
		s.Errorf("%s: the log has no error with %s: %s", after, text, s.log)
	}
}

// entries returns what an administrator sees of all tokens and sessions, by id,
// without their last uses.
func (s *scene) entries() map[string]string {
	s.Helper()
	all := s.entriesOf("token")
	maps.Copy(all, s.entriesOf(events.KindSession))
	return all
}

func (s *scene) entriesOf(kind string) map[string]string {
	s.Helper()
	all := map[string]string{}
	a := s.call(s.admin, "GET", collection+"?limit=1000&"+allStates+"&kind="+kind, inRange, "")
	if a.status != http.StatusOK {
		s.Errorf("a list of all entries of kind %s: got %s", kind, a)
		return all
	}
	for _, e := range decoded[httpapi.List](s, a).Entries {
		if _, twice := all[e.ID]; twice {
			s.Errorf("a list has the token %s twice", e.ID)
		}
		e.LastUsed, e.LastUsedAddress = httpapi.Time{}, ""
		b, err := json.Marshal(e)
		if err != nil {
			s.Fatal(err)
		}
		all[e.ID] = string(b)
	}
	return all
}

// expectNoOtherEntries expects that a list has only entries of before, or is a
// fault.
func (s *scene) expectNoOtherEntries(before map[string]string, after string) {
	s.Helper()
	for id, e := range s.entries() {
		if before[id] != e {
			s.Errorf("%s: a list shows %s, want %q or no entry", after, e, before[id])
		}
	}
}
