package attack

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/session"
	"apitoken/functions/httpapi"
)

// allowed returns the states of a token in which the service may see it: the true
// one, and an older one whose view was put back. removed reports that its view was
// removed.
func (p *process) allowed(h *held) (states []*held, removed bool) {
	states = []*held{h}
	at := p.victim.view(h.id)
	d, attacked := p.attacked[at]
	switch {
	case attacked && d.after == nil:
		removed = true
	case attacked && slices.ContainsFunc(p.past[at], func(i item) bool { return reflect.DeepEqual(i, d.after) }):
		before := *h
		before.revoked, before.off = false, false
		states = append(states, &before)
		if h.old != "" { // before the rotation the current secret did not exist
			before.revoked = true
			live := before
			live.revoked, live.expires = false, time.Time{}
			states = append(states, &live)
		}
	}
	return states, removed
}

// sound reports whether no attack waits for its repair.
func (p *process) sound() bool { return len(p.attacked) == 0 }

// expectVerdict expects the true status. While items are damaged, a fault is right
// too.
func (p *process) expectVerdict(h *held, q probe) {
	p.Helper()
	a := p.call(h, q.method, q.path, q.from, "")
	states, removed := p.allowed(h)
	if a.fault() {
		p.counts["fault"]++
	}
	if a.fault() && !p.sound() || removed && a.status == http.StatusUnauthorized {
		return
	}
	if !slices.ContainsFunc(states, func(state *held) bool { return a.status == p.want(state, q) }) {
		p.Errorf("%s with the token %s of %s: got %s, want %d", q.name, h.name, h.owner, a, p.want(h, q))
	}
	if q.path == whoAmI && a.status == http.StatusOK {
		p.expectSelf(h, a, "while attacks go on")
	}
}

// someToken returns a token or a session, often one with an attacked view.
func (p *process) someToken() *held {
	var attacked []*held
	for _, h := range p.all() {
		if _, is := p.attacked[p.victim.view(h.id)]; is {
			attacked = append(attacked, h)
		}
	}
	if len(attacked) > 0 && p.IntN(2) == 0 {
		return pick(p, attacked)
	}
	return pick(p, p.all())
}

func (p *process) authorize() {
	p.Helper()
	h := pick(p, p.someToken().secrets())
	p.expectVerdict(h, pick(p, probes(h.owner)))
}

// tryCreate makes a token for a random user. The limit holds during all attacks.
func (p *process) tryCreate() {
	p.Helper()
	w := wish{
		Owner: pick(p, []string{"ann", "bob", "evan"}), ExpiresIn: pick(p, []string{"", p.soon(), "10m", "1D"}),
		Scopes:    pick(p, [][]string{nil, {"GET " + collection + "*"}, {"GET /v1/users/*", "POST /elsewhere"}}),
		SourceIPs: pick(p, [][]string{nil, {"10.0.0.0/8"}, {"192.0.2.0/24", "2001:db8::/32"}}),
	}
	live := p.liveTokens(w.Owner)
	a := p.askCreate(w)
	switch {
	case a.status == http.StatusOK:
		h := p.hold(w, a)
		if live >= p.limit() {
			p.Errorf("%s got a token with %d live tokens, and the limit is %d", w.Owner, live, p.limit())
		}
		p.rewritten()
		p.expectVerdict(h, probes(h.owner)[0])
	case a.status == http.StatusConflict && (live >= p.lowestLimit() || p.olderHead(w.Owner)):
	case !p.sound() && (a.fault() || p.adminMayLack(a)):
	default:
		p.Errorf("creating %+v with %d live tokens: got %s", w, live, a)
	}
}

// trySignIn opens a session with or without permissions. It leaves room for one more, so
// that no session is replaced.
func (p *process) trySignIn() {
	p.Helper()
	in := issuer.SignIn{Owner: pick(p, []string{"ann", "bob"}), Via: guard.ViaOIDC, Alias: alias, Groups: pick(p, [][]string{nil, {"viewers"}})}
	live := 0
	for _, h := range p.opened {
		if h.owner == in.Owner && p.live(h) {
			live++
		}
	}
	if live >= session.MaxSessions-2 {
		return
	}
	p.restart() // the attacker may have closed the store
	made, text, err := p.issuer.OpenSession(p.Context(), in)
	if err != nil {
		if r, ok := errors.AsType[*events.Refusal](err); p.sound() && !(ok && r.Code == session.CodeSignInRate) {
			p.Errorf("signing in %s: %v", in.Owner, err)
		}
		return
	}
	h := &held{name: made.ID, id: made.ID, text: text.Reveal(), owner: in.Owner, expires: made.ExpiresAt, permissions: made.Permissions}
	if len(made.Permissions) > len(in.Groups) {
		p.Errorf("a sign-in with the groups %q got the permissions %q", in.Groups, made.Permissions)
	}
	p.opened = append(p.opened, h)
	p.rewritten()
	p.expectVerdict(h, probes(h.owner)[0])
}

// soon is a lifetime that ends while the process runs. In the time of the machine no
// lifetime does: a call at the moment of the expiry has two right answers.
func (p *process) soon() string {
	if p.remote != nil {
		return "10m"
	}
	return "60s"
}

func (p *process) liveTokens(owner string) (n int) {
	for _, h := range p.held {
		if h.owner == owner && p.live(h) {
			n++
		}
	}
	return n
}

// olderSettings reports whether older settings may be in force.
func (p *process) olderSettings() bool {
	_, attacked := p.attacked[p.victim.head("settings")]
	return attacked
}

// limit is the highest token limit that may be in force: the scene had 50 once.
func (p *process) limit() int {
	if p.olderSettings() {
		return 50
	}
	return tokenLimit
}

// lowestLimit is the first limit of a new service, 5, if older settings may be in
// force.
func (p *process) lowestLimit() int {
	if p.olderSettings() {
		return 5
	}
	return tokenLimit
}

// olderHead reports whether the head of a user may be an older one, which may hold
// more live tokens.
func (p *process) olderHead(owner string) bool {
	_, attacked := p.attacked[p.victim.head(events.UserStream(owner))]
	return attacked
}

// adminMayLack reports whether an answer is right for an administrator whose own
// view was removed, or whose rate is limited by older settings.
func (p *process) adminMayLack(a answer) bool {
	_, removed := p.allowed(p.admin)
	return removed && a.status == http.StatusUnauthorized || p.olderSettings() && a.status == http.StatusTooManyRequests
}

func (p *process) tryRevoke() {
	p.Helper()
	h := p.someToken()
	if h == p.admin || h.name == "plain" {
		return // the other steps need these
	}
	before := p.victim.item(p, p.victim.view(h.id))
	a := p.askRevoke(h)
	states, removed := p.allowed(h)
	missing := a.status == http.StatusNotFound
	switch {
	case a.status == http.StatusOK && (!h.revoked || len(states) > 1):
		h.revoked = h.revoked || !p.expired(h)
		p.rewritten()
		p.expectEnded(h)
	case missing && (h.revoked || removed):
	case !p.sound() && (a.fault() || p.adminMayLack(a)):
		p.endedByFault(h, before)
	default:
		p.Errorf("revoking the token %s, revoked before: %v: got %s", h.name, h.revoked, a)
	}
}

// endedByFault adds a revocation that failed to the truth, if it has ended the token: a
// revocation ends the token first and its sessions after it, and a fault may come between.
func (p *process) endedByFault(h *held, before item) {
	p.Helper()
	if reflect.DeepEqual(p.victim.item(p, p.victim.view(h.id)), before) {
		return
	}
	h.revoked = h.revoked || !p.expired(h)
	p.counts["ended by a fault"]++
	p.rewritten()
	p.expectEnded(h)
}

// expectEnded expects that a token that was just revoked does not pass.
func (p *process) expectEnded(h *held) {
	p.Helper()
	if a := p.call(h, "GET", whoAmI, inRange, ""); a.status != http.StatusUnauthorized && !a.fault() {
		p.Errorf("the token %s after its revocation: got %s, want 401", h.name, a)
	}
}

// expectEntry expects that an entry shows the truth about a token.
func (p *process) expectEntry(e httpapi.Entry) {
	p.Helper()
	all := p.all()
	n := slices.IndexFunc(all, func(h *held) bool { return h.id == e.ID })
	if n < 0 {
		p.Errorf("an entry shows the unknown token %s", e.ID)
		return
	}
	h := all[n]
	var ranges []string
	for _, r := range e.SourceIPs {
		ranges = append(ranges, r.String())
	}
	states, _ := p.allowed(h)
	known := slices.ContainsFunc(states, func(state *held) bool { return (e.State == "revoked") == state.revoked })
	if e.User.Name != h.owner || !e.ExpirationTime.Equal(h.expires) || !slices.Equal(e.Scopes, h.scopes) || !slices.Equal(ranges, h.ranges) || !known {
		b, _ := json.Marshal(e)
		p.Errorf("an entry shows %s, want %+v", b, *h)
	}
}

const allStates = "state=active,disabled,expired,revoked"

func (p *process) get() {
	p.Helper()
	h := p.someToken()
	a := p.call(p.admin, "GET", collection+"/"+h.id+"?"+allStates, inRange, "")
	_, removed := p.allowed(h)
	switch {
	case a.status == http.StatusOK:
		p.expectEntry(decoded[httpapi.Entry](p.scene, a))
	case removed && a.status == http.StatusNotFound:
	case !p.sound() && (a.fault() || p.adminMayLack(a)):
	default:
		p.Errorf("a get of the token %s: got %s", h.name, a)
	}
}

func (p *process) list() {
	p.Helper()
	a := p.call(p.admin, "GET", collection+"?limit=1000&"+allStates, inRange, "")
	if a.status != http.StatusOK {
		if p.sound() || !a.fault() && !p.adminMayLack(a) {
			p.Errorf("a list: got %s", a)
		}
		return
	}
	l := decoded[httpapi.List](p.scene, a)
	for _, e := range l.Entries {
		p.expectEntry(e)
	}
	if p.sound() && len(l.Entries) != len(p.held) {
		p.Errorf("a list has %d entries, want %d", len(l.Entries), len(p.held))
	}
}

func (p *process) wait() {
	d := time.Duration(p.IntN(60)) * time.Second
	if p.remote != nil {
		d /= 10
	}
	p.advance(d)
}
