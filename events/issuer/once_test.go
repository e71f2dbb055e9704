package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// someKey is a request key.
var someKey = issuer.RequestKey{Route: "POST /v1/auth/access-tokens", Value: "8e03978e-40d5-43e8-bc93-6894a57f9324"}

// withToken is a caller with an acting token.
func withToken(owner, id string) guard.Principal {
	p := person(owner)
	p.TokenID = id
	return p
}

var annsToken = withToken("ann", "JhxND7ci")

func (s *scene) once(by guard.Principal, key issuer.RequestKey, w token.Wish) issuer.Minted {
	s.Helper()
	made, err := s.CreateOnce(s.Context(), by, key, "", w)
	if err != nil {
		s.Fatalf("creating a token: %v", err)
	}
	return made
}

// sameAnswer fails the test unless the two answers are the same.
func sameAnswer(t testing.TB, got, want issuer.Minted) {
	t.Helper()
	if got.Text.Reveal() != want.Text.Reveal() || !reflect.DeepEqual(plain(got), plain(want)) {
		t.Errorf("got the answer %+v, want %+v", plain(got), plain(want))
	}
}

// plain is the answer without its secret, and without the seal of the view, which
// no answer shows.
func plain(m issuer.Minted) issuer.Token {
	m.Seal = events.Verifier{}
	return m.Token
}

// TestARepeatGetsTheFirstAnswer: also from another issuer on the same store, and
// after the first token was used.
func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	s := newScene(t)
	w := token.Wish{Name: "n", Description: "d", ExpiresIn: time.Hour, Scopes: []string{"GET /a"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	first := s.once(annsToken, someKey, w)
	if first.Replayed {
		t.Error("the first answer is marked as replayed")
	}
	s.wait(time.Minute)
	if got := s.denialOf(s.parse(first.Text)); got != "" {
		t.Errorf("the token gets %q, want it to pass", got)
	}
	s.useStore(s.store)
	again := s.once(annsToken, someKey, w)
	if !again.Replayed {
		t.Error("the repeat is not marked as replayed")
	}
	sameAnswer(t, again, first)
	if n := len(s.checkedLog("ann")); n != 1 {
		t.Errorf("the log has %d records, want 1", n)
	}
}

// TestOnlyTheSameRequestIsReplayed: another acting token, another route and another
// value are new requests. Another command with the key is refused.
func TestOnlyTheSameRequestIsReplayed(t *testing.T) {
	s := newScene(t)
	s.limit(50)
	seen := map[string]bool{s.once(annsToken, someKey, token.Wish{}).Text.Reveal(): true}
	for name, c := range map[string]struct {
		by  guard.Principal
		key issuer.RequestKey
	}{
		"another token of the owner":       {withToken("ann", "L7k8ljIC"), someKey},
		"another route":                    {annsToken, issuer.RequestKey{Route: "POST /other", Value: someKey.Value}},
		"another value":                    {annsToken, issuer.RequestKey{Route: someKey.Route, Value: someKey.Value + "x"}},
		"a border between route and value": {annsToken, issuer.RequestKey{Route: someKey.Route + someKey.Value[:1], Value: someKey.Value[1:]}},
		"no key":                           {annsToken, issuer.RequestKey{}},
	} {
		made := s.once(c.by, c.key, token.Wish{})
		if made.Replayed || seen[made.Text.Reveal()] {
			t.Errorf("%s: got an earlier answer", name)
		}
		seen[made.Text.Reveal()] = true
	}
	before := len(s.checkedLog("ann"))
	for name, w := range map[string]token.Wish{
		"name": {Name: "x"}, "description": {Description: "x"}, "lifetime": {ExpiresIn: time.Hour}, "expiry": {ExpiresAt: start.AddDate(1, 0, 0)},
		"scopes": {Scopes: []string{"GET /"}}, "ranges": {SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	} {
		_, err := s.CreateOnce(t.Context(), annsToken, someKey, "", w)
		if got := refusalCode(t, err); got != issuer.CodeKeyReused {
			t.Errorf("another %s: got %q, want %s", name, got, issuer.CodeKeyReused)
		}
	}
	s.grant("ann", "create")
	_, err := s.CreateOnce(t.Context(), annsToken, someKey, "bob", token.Wish{})
	if got := refusalCode(t, err); got != issuer.CodeKeyReused {
		t.Errorf("another owner: got %q, want %s", got, issuer.CodeKeyReused)
	}
	if after := len(s.checkedLog("ann")) + len(s.checkedLog("bob")); after != before {
		t.Errorf("the refused calls wrote %d records", after-before)
	}
	same := token.Wish{Scopes: []string{}, SourceIPs: []netip.Prefix{}}
	if made, err := s.CreateOnce(t.Context(), annsToken, someKey, "ann", same); err != nil || !made.Replayed {
		t.Errorf("the same request in other words: got replayed %t, %v", made.Replayed, err)
	}
}

// TestEveryMemberOfAWishDecidesWhetherARequestIsTheSame: a new member of Wish needs
// a place in createForm and a row in the test before.
func TestEveryMemberOfAWishDecidesWhetherARequestIsTheSame(t *testing.T) {
	if n := reflect.TypeFor[token.Wish]().NumField(); n != 6 {
		t.Errorf("token.Wish has %d members, and the digest of a creation covers 6", n)
	}
}

// TestAReplayNeedsNoSlotAndIsNotCounted: the last slot and the last change of the
// hour are taken by the first request.
func TestAReplayNeedsNoSlotAndIsNotCounted(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	s.changeRate(1)
	first := s.once(annsToken, someKey, token.Wish{})
	before := s.snapshot("ann")
	for range 3 {
		sameAnswer(t, s.once(annsToken, someKey, token.Wish{}), first)
	}
	if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
		t.Errorf("a replay changed the store: got %+v, want %+v", after, before)
	}
}

// TestARefusalIsNotKept: a request that was refused may be sent again with its key,
// changed or not.
func TestARefusalIsNotKept(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	blocking, _ := s.create(annsToken, "", token.Wish{})
	for _, w := range []token.Wish{{}, {ExpiresAt: start}, {Scopes: []string{"nonsense"}}} {
		if _, err := s.CreateOnce(t.Context(), annsToken, someKey, "", w); refusalCode(t, err) == "" {
			t.Fatalf("%+v was not refused", w)
		}
	}
	if err := s.Revoke(t.Context(), annsToken, blocking.ID); err != nil {
		t.Fatal(err)
	}
	if made := s.once(annsToken, someKey, token.Wish{}); made.Replayed {
		t.Error("a refused request was replayed")
	}
}

// TestAReplayIsCheckedAsANewCall: the caller has lost the permission, or the acting
// token its scopes.
func TestAReplayIsCheckedAsANewCall(t *testing.T) {
	s := newScene(t)
	s.grant("admin", "view", "create", "edit", "delete")
	s.grant("ann", "create")
	_, shown := s.create(person("ann"), "", token.Wish{})
	by := s.caller(shown)
	if _, err := s.CreateOnce(t.Context(), by, someKey, "bob", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	s.grant("ann")
	_, err := s.CreateOnce(t.Context(), by, someKey, "bob", token.Wish{})
	if got := refusalCode(t, err); got != token.CodePermissionDenied {
		t.Errorf("without the permission: got %q, want %s", got, token.CodePermissionDenied)
	}
	s.once(annsToken, someKey2, token.Wish{})
	scoped := annsToken
	scoped.Scopes = []string{"POST /v1/auth/access-tokens"}
	_, err = s.CreateOnce(t.Context(), scoped, someKey2, "", token.Wish{})
	if got := refusalCode(t, err); got != token.CodeScopeExceeds {
		t.Errorf("with a scoped token: got %q, want %s", got, token.CodeScopeExceeds)
	}
}

// TestAReplayHandsOutNoSecretBeyondTheActingToken: since the first answer the acting
// token got an earlier expiry or narrower bounds, or the new token got a later expiry
// or wider bounds. So an expiring token gets no secret that outlives it, and a scoped
// one none that may do more.
func TestAReplayHandsOutNoSecretBeyondTheActingToken(t *testing.T) {
	lan := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	narrow := annsToken
	narrow.Scopes, narrow.SourceIPs, narrow.ExpiresAt = []string{"POST /v1/auth/*"}, lan, start.Add(2*time.Hour)
	bound := token.Wish{Scopes: []string{"POST /v1/auth/a"}, SourceIPs: lan}
	for _, c := range []struct {
		name string
		wish token.Wish
		then func(s *scene, by *guard.Principal, id string)
		want string
	}{
		{"nothing changed", bound, func(*scene, *guard.Principal, string) {}, ""},
		{"the new token is narrower", bound, func(s *scene, _ *guard.Principal, id string) {
			s.update(person("ann"), id, token.Update{Wish: token.Wish{ExpiresIn: time.Hour}, Given: token.Members{Expiry: true}})
		}, ""},
		{"the acting token expires earlier", bound, func(_ *scene, by *guard.Principal, _ string) { by.ExpiresAt = start.Add(time.Hour) }, token.CodeExpiryOutlives},
		{"the new token expires later", bound, func(s *scene, _ *guard.Principal, id string) {
			s.update(person("ann"), id, token.Update{Wish: token.Wish{ExpiresIn: 3 * time.Hour}, Given: token.Members{Expiry: true}})
		}, token.CodeExpiryOutlives},
		{"the new token never expires", bound, func(s *scene, _ *guard.Principal, id string) {
			s.update(person("ann"), id, token.Update{Given: token.Members{Expiry: true}})
		}, token.CodeExpiryOutlives},
		{"the new token has wider scopes", bound, func(s *scene, _ *guard.Principal, id string) {
			s.update(person("ann"), id, token.Update{Given: token.Members{Scopes: true}})
		}, token.CodeScopeExceeds},
		{"the new token has wider ranges", bound, func(s *scene, _ *guard.Principal, id string) {
			s.update(person("ann"), id, token.Update{Given: token.Members{SourceIPs: true}})
		}, token.CodeSourceIPsExceed},
	} {
		s := newScene(t)
		by := narrow
		made := s.once(by, someKey, c.wish)
		c.then(s, &by, made.ID)
		before := s.snapshot("ann")
		again, err := s.CreateOnce(t.Context(), by, someKey, "", c.wish)
		if got := refusalCode(t, err); got != c.want || again.Replayed != (c.want == "") {
			t.Errorf("%s: got %q, replayed %t, want %q", c.name, got, again.Replayed, c.want)
		}
		if after := s.snapshot("ann"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the repeat changed the store", c.name)
		}
	}
}

var someKey2 = issuer.RequestKey{Route: someKey.Route, Value: "another key of ann"}

// TestADeadSecretIsNeverReplayed: the token of the answer was revoked, has expired,
// or was rotated.
func TestADeadSecretIsNeverReplayed(t *testing.T) {
	s := newScene(t)
	revoked := s.once(annsToken, someKey, token.Wish{})
	if err := s.Revoke(t.Context(), annsToken, revoked.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateOnce(t.Context(), annsToken, someKey, "", token.Wish{})
	if got := refusalCode(t, err); got != token.CodeEnded {
		t.Errorf("revoked: got %q, want %s", got, token.CodeEnded)
	}
	hour := token.Wish{ExpiresIn: time.Hour}
	s.once(annsToken, someKey2, hour)
	s.wait(time.Hour - time.Microsecond)
	if !s.once(annsToken, someKey2, hour).Replayed {
		t.Error("before its expiry the token was not replayed")
	}
	s.wait(time.Microsecond)
	_, err = s.CreateOnce(t.Context(), annsToken, someKey2, "", hour)
	if got := refusalCode(t, err); got != token.CodeEnded {
		t.Errorf("expired: got %q, want %s", got, token.CodeEnded)
	}
	third := issuer.RequestKey{Route: someKey.Route, Value: "a third key of ann"}
	s.once(annsToken, third, token.Wish{})
	s.useStore(rotatedStore{s.store})
	_, err = s.CreateOnce(t.Context(), annsToken, third, "", token.Wish{})
	if got := refusalCode(t, err); got != issuer.CodeTokenRotated {
		t.Errorf("rotated: got %q, want %s", got, issuer.CodeTokenRotated)
	}
	s.useStore(goneStore{s.store})
	_, err = s.CreateOnce(t.Context(), annsToken, third, "", token.Wish{})
	if got := refusalCode(t, err); got != token.CodeEnded {
		t.Errorf("removed: got %q, want %s", got, token.CodeEnded)
	}
}

// goneStore has removed every view.
type goneStore struct{ events.Store }

func (goneStore) Token(context.Context, string) (events.View, events.Use, error) {
	return events.View{}, events.Use{}, events.ErrNotFound
}

// rotatedStore shows every token with another verifier, as this service writes it.
type rotatedStore struct{ events.Store }

func (r rotatedStore) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	v, use, err := r.Store.Token(ctx, id)
	if err != nil {
		return v, use, err
	}
	v.Verifier = events.Verifier{Kid: storetest.Keys.Current(), MAC: make([]byte, 32)}
	fact := events.TokenRevoked{TokenID: id, Owner: v.Owner}
	c, err := events.NewCommit(storetest.Keys, events.UserStream(v.Owner), events.Head{}, events.Meta{}, []events.Fact{fact}, 1, nil, events.Effect{Changed: []events.View{v}})
	if err != nil {
		return v, use, err
	}
	return c.Effect().Changed[0], use, nil
}

// TestAKeyIsNewAfterADay: time decides, although the store still has the reply.
func TestAKeyIsNewAfterADay(t *testing.T) {
	s := newScene(t)
	first := s.once(annsToken, someKey, token.Wish{})
	s.wait(24*time.Hour - time.Microsecond)
	sameAnswer(t, s.once(annsToken, someKey, token.Wish{}), first)
	s.wait(time.Microsecond)
	second := s.once(annsToken, someKey, token.Wish{Name: "another request"})
	if second.Replayed || second.ID == first.ID {
		t.Error("after a day the key got the old answer")
	}
	sameAnswer(t, s.once(annsToken, someKey, token.Wish{Name: "another request"}), second)
}

// keysOf returns peppers of these kids, in this order.
func keysOf(t testing.TB, kids ...string) events.Keys {
	t.Helper()
	pairs := make([]string, len(kids))
	for i, kid := range kids {
		pairs[i] = kid + ":" + strings.Repeat("QUJD", 10) + strings.Repeat(kid, 4)
	}
	k, err := events.ParseKeys(strings.Join(pairs, ","))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (s *scene) useKeys(keys events.Keys) {
	s.Issuer = issuer.New(issuer.Config{Store: s.store, Keys: keys, Prefix: "acme", Now: s.now})
}

// TestARepeatFindsItsReplyUnderAnotherPepper: a new pepper became the current one
// between the two calls, or the two calls reach handlers of two deployments.
func TestARepeatFindsItsReplyUnderAnotherPepper(t *testing.T) {
	s := newScene(t)
	s.useKeys(keysOf(t, "a", "b"))
	first := s.once(annsToken, someKey, token.Wish{})
	for _, kids := range [][]string{{"b", "a"}, {"c", "b", "a"}, {"a"}} {
		s.useKeys(keysOf(t, kids...))
		made := s.once(annsToken, someKey, token.Wish{})
		if !made.Replayed {
			t.Errorf("with the peppers %s the request made another token", kids)
		}
		sameAnswer(t, made, first)
	}
	counter := &readCounter{Store: s.store}
	s.Issuer = issuer.New(issuer.Config{Store: counter, Keys: keysOf(t, "f", "e", "d", "c", "b", "a"), Now: s.now})
	// The seals of the stream need the pepper a, which is there.
	if _, err := s.CreateOnce(t.Context(), annsToken, someKey2, "", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	if got := counter.taken(); !slices.Equal(got, []string{"head settings", "head user/ann", "reply", "reply", "reply"}) {
		t.Errorf("with six peppers: got the reads %q, want three replies", got)
	}
}

// TestACallWithoutAKeyReadsNoReply.
func TestACallWithoutAKeyReadsNoReply(t *testing.T) {
	s := newScene(t)
	counter := &readCounter{Store: s.store}
	s.useStore(counter)
	s.create(annsToken, "", token.Wish{})
	if got := counter.taken(); !slices.Equal(got, []string{"head settings", "head user/ann"}) {
		t.Errorf("got the reads %q, want settings and stream", got)
	}
	s.once(annsToken, someKey, token.Wish{})
	if got := counter.taken(); !slices.Equal(got, []string{"head user/ann", "reply"}) {
		t.Errorf("with a key: got the reads %q, want the stream and one reply", got)
	}
}

// TestFiftyCallsWithOneKeyMakeOneToken: all calls get the same answer.
func TestFiftyCallsWithOneKeyMakeOneToken(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	var group sync.WaitGroup
	begin := make(chan struct{})
	answers, errs := make([]issuer.Minted, 50), make([]error, 50)
	for n := range answers {
		group.Go(func() {
			<-begin
			answers[n], errs[n] = s.CreateOnce(t.Context(), annsToken, someKey, "", token.Wish{})
		})
	}
	close(begin)
	group.Wait()
	replayed := 0
	for n, a := range answers {
		if errs[n] != nil {
			t.Fatal(errs[n])
		}
		sameAnswer(t, a, answers[0])
		if a.Replayed {
			replayed++
		}
	}
	if replayed != 49 || len(s.checkedLog("ann")) != 1 {
		t.Errorf("%d answers are replayed and the log has %d records, want 49 and 1", replayed, len(s.checkedLog("ann")))
	}
}

// TestOneKeyForTwoOwnersMakesOneToken: the two commands write to two streams, so
// only the reply is a conflict.
func TestOneKeyForTwoOwnersMakesOneToken(t *testing.T) {
	for range 50 {
		s := newScene(t)
		s.grant("ann", "create")
		_, shown := s.create(person("ann"), "", token.Wish{})
		by := s.caller(shown)
		var group sync.WaitGroup
		errs := make([]error, 2)
		for n, owner := range []string{"bob", "eve"} {
			group.Go(func() { _, errs[n] = s.CreateOnce(t.Context(), by, someKey, owner, token.Wish{}) })
		}
		group.Wait()
		codes := []string{refusalCode(t, errs[0]), refusalCode(t, errs[1])}
		slices.Sort(codes)
		if !slices.Equal(codes, []string{"", issuer.CodeKeyReused}) || len(s.checkedLog("bob"))+len(s.checkedLog("eve")) != 1 {
			t.Fatalf("got %q, want one token and one refusal", codes)
		}
	}
}

// TestAReplyThatDoesNotOpenIsAFault: and an outage is one that asks for a retry.
func TestAReplyThatDoesNotOpenIsAFault(t *testing.T) {
	s := newScene(t)
	s.once(annsToken, someKey, token.Wish{})
	s.useStore(changedReplies{s.store})
	_, err := s.CreateOnce(t.Context(), annsToken, someKey, "", token.Wish{})
	wantFault(t, "a changed reply", err)
	if !errors.Is(err, events.ErrDamaged) || errors.Is(err, issuer.ErrBusy) {
		t.Errorf("got %v, want it to wrap ErrDamaged only", err)
	}
	s.useFaulty(storetest.Once(storetest.OpReply, storetest.Unapplied))
	_, err = s.CreateOnce(t.Context(), annsToken, someKey, "", token.Wish{})
	wantFault(t, "an outage", err)
	if !errors.Is(err, issuer.ErrBusy) {
		t.Errorf("got %v, want it to wrap ErrBusy", err)
	}
}

type changedReplies struct{ events.Store }

func (c changedReplies) Reply(ctx context.Context, key string) (events.Reply, error) {
	r, err := c.Store.Reply(ctx, key)
	if err == nil {
		r.Sealed[len(r.Sealed)-1] ^= 1
	}
	return r, err
}

// TestAStoredReplyRevealsNothing: neither the sealed bytes nor their name have the
// secret, the token id, the owner or the key. Two seals of one request differ.
func TestAStoredReplyRevealsNothing(t *testing.T) {
	s := newScene(t)
	noting := &notedReplies{Store: s.store}
	s.useStore(noting)
	first := s.once(annsToken, someKey, token.Wish{})
	s.wait(24 * time.Hour)
	second := s.once(annsToken, someKey, token.Wish{})
	if len(noting.replies) != 2 || bytes.Equal(noting.replies[0].Sealed[:12], noting.replies[1].Sealed[:12]) {
		t.Fatalf("got %d replies, want two with different nonces", len(noting.replies))
	}
	for n, m := range []issuer.Minted{first, second} {
		r := noting.replies[n]
		text := s.parse(m.Text)
		for _, part := range []string{m.Text.Reveal(), text.Secret.Reveal(), text.ID, someKey.Value, annsToken.TokenID, "ann_api_token"} {
			if strings.Contains(r.Key, part) || bytes.Contains(r.Sealed, []byte(part)) {
				t.Errorf("the stored reply has %q", part)
			}
		}
	}
}

type notedReplies struct {
	events.Store
	replies []events.Reply
}

func (s *notedReplies) Commit(ctx context.Context, c events.Commit) error {
	s.replies = append(s.replies, *c.Effect().Reply)
	return s.Store.Commit(ctx, c)
}

// TestAKeyNeedsAnActingToken: without one, callers would share their replies.
func TestAKeyNeedsAnActingToken(t *testing.T) {
	s := newScene(t)
	_, err := s.CreateOnce(t.Context(), person("ann"), someKey, "", token.Wish{})
	wantFault(t, "a key without an acting token", err)
}
