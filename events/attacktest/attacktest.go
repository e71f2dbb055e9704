// Package attacktest plays an attacker against the service: one who may write
// everything in the store, and who has no pepper. Every store runs it.
//
// A change of one field must be a fault at the next call that reads the field. It
// must never let a token pass, and never look like a refusal. Each check changes
// one item and puts it back.
package attacktest

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// Store is a store and its attacker.
type Store interface {
	events.Store
	storetest.Attacker
}

// Run runs all checks. open returns a new store for each check.
func Run(t *testing.T, open func(*testing.T) Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) Store)
	}{
		{"EachFieldOfAViewIsSealed", eachFieldOfAView},
		{"AViewBelongsToItsToken", viewBelongsToItsToken},
		{"AViewThatWasPutBackIsRevokedAgain", viewPutBack},
		{"EachFieldOfAHeadIsSealed", eachFieldOfAHead},
		{"AHeadCannotBeRemovedOrMoved", headRemovedOrMoved},
		{"AHeadThatWasPutBackIsAFault", headPutBack},
		{"APlantedRecordIsAFault", plantedRecord},
		{"EachFieldOfARecordIsProtected", eachFieldOfARecord},
		{"AReplyBelongsToItsRequest", replyBelongsToItsRequest},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

// scene is the service on an attacked store.
type scene struct {
	*testing.T
	Store
	log bytes.Buffer
	now time.Time
	*issuer.Issuer
}

func newScene(t *testing.T, s Store) *scene {
	x := &scene{T: t, Store: s, now: time.Now().UTC()}
	x.restart()
	return x
}

// restart makes a new issuer, without cached settings.
func (x *scene) restart() {
	x.log.Reset()
	x.Issuer = issuer.New(issuer.Config{
		Store: x.Store, Keys: storetest.Keys, Now: func() time.Time { return x.now },
		Logger: slog.New(slog.NewJSONHandler(&x.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

var (
	here = netip.MustParseAddr("10.1.2.3")
	ann  = guard.Principal{Owner: "ann", Address: here}
	bob  = guard.Principal{Owner: "bob", Address: here}

	admin = guard.Principal{Owner: "admin", Address: here}
)

// full is a wish with every member.
func full(name string) token.Wish {
	return token.Wish{
		Name: name, Description: "of " + name, ExpiresIn: time.Hour, Scopes: []string{"GET /" + name + "/*", "POST /" + name},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
	}
}

func (x *scene) create(by guard.Principal, w token.Wish) secret.Token {
	x.Helper()
	_, text, err := x.Create(x.Context(), by, "", w)
	if err != nil {
		x.Fatalf("creating a token: %v", err)
	}
	parsed, err := secret.Parse(text.Reveal())
	if err != nil {
		x.Fatal(err)
	}
	return parsed
}

func (x *scene) revoke(by guard.Principal, id string) {
	x.Helper()
	if err := x.Revoke(x.Context(), by, id); err != nil {
		x.Fatalf("revoking token %s: %v", id, err)
	}
}

// denial is the code of the guard's answer, empty if the token passes.
func (x *scene) denial(t secret.Token) string {
	x.Helper()
	_, err := x.Guard().Check(x.Context(), t, here)
	if err == nil {
		return ""
	}
	d, denied := errors.AsType[*guard.Denial](err)
	if !denied {
		x.Fatalf("checking token %s: %v", t.ID, err)
	}
	return d.Code
}

// expectFault expects a fault that names damaged data and asks for no retry.
func (x *scene) expectFault(what string, err error) {
	x.Helper()
	_, refused := errors.AsType[*events.Refusal](err)
	_, denied := errors.AsType[*guard.Denial](err)
	if !errors.Is(err, events.ErrDamaged) || refused || denied || errors.Is(err, issuer.ErrBusy) {
		x.Errorf("%s: got %v, want a fault that wraps ErrDamaged", what, err)
	}
}

// eachChange calls do while the item is changed: without a member, with another
// value of a member, and with the value that another item has there.
func (x *scene) eachChange(key, other string, do func(change string)) {
	x.Helper()
	original, foreign := x.Item(x, key), x.Item(x, other)
	try := func(change, member string, value any) {
		changed := maps.Clone(original)
		if changed[member] = value; value == nil {
			delete(changed, member)
		}
		if reflect.DeepEqual(changed, original) {
			return
		}
		x.PutItem(x, key, changed)
		x.restart()
		do(change + " " + member)
	}
	for _, member := range slices.Sorted(maps.Keys(original)) {
		varied := x.Vary(original[member])
		if reflect.DeepEqual(varied, original[member]) {
			x.Errorf("Vary does not change the member %s", member)
		}
		try("without", member, nil)
		try("with a changed", member, varied)
		try("with another item's", member, foreign[member])
	}
	for _, member := range slices.Sorted(maps.Keys(foreign)) {
		if _, has := original[member]; !has {
			try("with an added", member, foreign[member])
		}
	}
	x.PutItem(x, key, original)
	x.restart()
}

func eachFieldOfAView(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	if _, _, err := x.Bootstrap(t.Context(), admin.Owner, false); err != nil {
		t.Fatal(err)
	}
	live, ended := x.create(ann, full("live")), x.create(ann, full("ended"))
	foreign, revoked := x.create(bob, full("foreign")), x.create(bob, full("revoked"))
	x.now = x.now.Add(time.Minute)
	x.revoke(ann, ended.ID)
	x.revoke(bob, revoked.ID)
	for _, pair := range [][2]secret.Token{{live, foreign}, {ended, revoked}, {live, ended}, {ended, live}} {
		shown := pair[0]
		listed := x.listed(shown)
		if len(listed) != 1 {
			t.Fatalf("a list before the attacks has token %s %d times", shown.ID, len(listed))
		}
		x.eachChange(x.ViewKey(shown.ID), x.ViewKey(pair[1].ID), func(change string) {
			x.expectViewIsRefused(shown, change)
			if got := x.listed(shown); len(got) > 0 && !reflect.DeepEqual(got, listed) {
				t.Errorf("a list with a view %s shows %+v, want no entry or %+v", change, got, listed)
			}
		})
	}
	if got := x.denial(live); got != "" {
		t.Errorf("after all attacks: got %q, want the token to pass", got)
	}
	if got := x.denial(ended); got != guard.CodeRevoked {
		t.Errorf("after all attacks: got %q, want %s", got, guard.CodeRevoked)
	}
}

// listed returns the entries that a list of all users has for a token. A list that
// has the digest of a verifier does not see a change of the verifier, and shows
// neither.
func (x *scene) listed(shown secret.Token) (all []issuer.Token) {
	x.Helper()
	page, err := x.List(x.Context(), admin, issuer.ListQuery{States: []events.TokenState{events.StateActive, events.StateExpired, events.StateRevoked, events.StateDisabled}})
	if err != nil {
		x.Fatalf("a list: %v", err)
	}
	for _, t := range page.Tokens {
		if t.ID == shown.ID {
			all = append(all, t)
		}
	}
	return all
}

// expectViewIsRefused expects a fault of every call that reads the view by key.
func (x *scene) expectViewIsRefused(shown secret.Token, change string) {
	x.Helper()
	ctx := x.Context()
	_, err := x.Guard().Check(ctx, shown, here)
	x.expectFault("a check of a view "+change, err)
	wrong := secret.Mint("")
	wrong.ID = shown.ID
	_, err = x.Guard().Check(ctx, wrong, here)
	x.expectFault("a check with a wrong secret of a view "+change, err)
	_, err = x.Get(ctx, ann, shown.ID)
	x.expectFault("a get of a view "+change, err)
	x.expectFault("a revoke of a view "+change, x.Revoke(ctx, ann, shown.ID))
	_, err = x.TokenEvents(ctx, ann, shown.ID, 0, 0)
	x.expectFault("a history of a view "+change, err)
	_, err = x.Introspect(ctx, ann, text(shown), "", here)
	x.expectFault("an introspection of a view "+change, err)
}

func text(t secret.Token) string { return t.Text().Reveal() }

func viewBelongsToItsToken(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	if _, _, err := x.Bootstrap(t.Context(), admin.Owner, false); err != nil {
		t.Fatal(err)
	}
	mine, theirs := x.create(ann, full("mine")), x.create(bob, full("theirs"))
	again := x.Item(t, x.ViewKey(mine.ID))
	x.PutItem(t, x.ViewKey(mine.ID), x.Item(t, x.ViewKey(theirs.ID)))
	x.expectViewIsRefused(mine, "of another token")
	if got := x.listed(mine); len(got) > 0 {
		t.Errorf("a list shows the view of another token: %+v", got)
	}
	x.PutItem(t, x.ViewKey(mine.ID), again)
	if got := x.denial(mine); got != "" {
		t.Errorf("after the attack: got %q, want the token to pass", got)
	}
	x.expectListLogsDamage(theirs)
}

// expectListLogsDamage expects that a list without a damaged view logs its token.
func (x *scene) expectListLogsDamage(shown secret.Token) {
	x.Helper()
	key := x.ViewKey(shown.ID)
	again := x.Item(x, key)
	x.damageListedView(key)
	x.restart()
	q := issuer.ListQuery{States: []events.TokenState{events.StateRevoked, events.StateActive}}
	deadline := time.Now().Add(5 * time.Second) // an index may lag
	for !strings.Contains(x.log.String(), `"token_id":"`+shown.ID+`"`) || !strings.Contains(x.log.String(), `"level":"ERROR"`) {
		if _, err := x.List(x.Context(), bob, q); err != nil || time.Now().After(deadline) {
			x.Fatalf("a list with a damaged view: got error %v and the log %q, want an error line with token id %s", err, x.log.String(), shown.ID)
		}
	}
	x.PutItem(x, key, again)
}

// damageListedView exchanges the seal of a view, which no index uses as a key.
func (x *scene) damageListedView(key string) {
	x.Helper()
	other := x.create(ann, full("other"))
	members, foreign := x.Item(x, key), x.Item(x, x.ViewKey(other.ID))
	for _, member := range []string{"seal", "18"} {
		if seal, has := foreign[member]; has {
			members[member] = seal
		}
	}
	x.PutItem(x, key, members)
}

func viewPutBack(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	for _, busy := range []bool{false, true} {
		shown := x.create(ann, full("back"))
		key := x.ViewKey(shown.ID)
		live := x.Item(t, key)
		x.revoke(ann, shown.ID)
		if busy {
			x.create(ann, token.Wish{})
		}
		x.PutItem(t, key, live)
		if got := x.denial(shown); got != "" {
			t.Errorf("a whole older view: got %q, want it to pass: only a comparison with other items finds it", got)
		}
		x.revoke(ann, shown.ID)
		if got := x.denial(shown); got != guard.CodeRevoked {
			t.Errorf("after the second revocation: got %q, want %s", got, guard.CodeRevoked)
		}
		err := x.Revoke(t.Context(), ann, shown.ID)
		if r, refused := errors.AsType[*events.Refusal](err); !refused || r.Code != token.CodeNotFoundRevoked {
			t.Errorf("a third revocation: got %v, want %s", err, token.CodeNotFoundRevoked)
		}
	}
	x.expectSound("ann")
}

// expectSound expects that the owner's records continue each other, have the MAC
// of the service, and end at the head.
func (x *scene) expectSound(owner string) {
	x.Helper()
	stream := events.UserStream(owner)
	head, err := x.Store.Head(x.Context(), stream)
	if err != nil {
		x.Fatal(err)
	}
	rs, err := x.Store.History(x.Context(), stream, 0, 10_000)
	if err = errors.Join(err, head.Check(storetest.Keys, stream), events.Verify(events.Hash{}, rs)); err != nil {
		x.Error(err)
	}
	for _, r := range rs {
		if err := r.Message().CheckMAC(storetest.Keys); err != nil {
			x.Error(err)
		}
	}
	if head.Version != uint64(len(rs)) {
		x.Errorf("the head has version %d, want %d, the number of records", head.Version, len(rs))
	}
}

func eachFieldOfAHead(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	if _, _, err := x.Bootstrap(t.Context(), admin.Owner, false); err != nil {
		t.Fatal(err)
	}
	shown, _ := x.create(ann, full("live")), x.create(bob, full("foreign"))
	for _, pair := range [][2]events.Stream{{"user/ann", "user/bob"}, {events.SettingsStream, "user/bob"}} {
		records := x.records("user/ann")
		x.eachChange(x.HeadKey(pair[0]), x.HeadKey(pair[1]), func(change string) {
			x.expectHeadIsRefused(pair[0], shown, "with a head "+change)
		})
		if got := x.records("user/ann"); !reflect.DeepEqual(got, records) {
			t.Errorf("the attacks on %s changed the log of ann", pair[0])
		}
	}
	x.revoke(ann, shown.ID)
}

func (x *scene) records(s events.Stream) []events.Record {
	x.Helper()
	rs, err := x.Store.History(x.Context(), s, 0, 1000)
	if err != nil {
		x.Fatal(err)
	}
	return rs
}

// expectHeadIsRefused expects that no call decides from the head or shows it.
func (x *scene) expectHeadIsRefused(s events.Stream, shown secret.Token, change string) {
	x.Helper()
	ctx := x.Context()
	fault := x.expectFault
	if s == events.SettingsStream {
		fault = x.expectSettingsFault
	}
	_, _, err := x.Create(ctx, ann, "", token.Wish{})
	fault("a create "+change, err)
	fault("a revoke "+change, x.Revoke(ctx, ann, shown.ID))
	if s == events.SettingsStream {
		_, err = x.WhoAmI(ctx, ann)
		fault("who-am-i "+change, err)
		return
	}
	_, err = x.List(ctx, ann, issuer.ListQuery{Owners: []string{"ann"}})
	fault("a list "+change, err)
	_, err = x.UserEvents(ctx, ann, "ann", 0, 0)
	fault("a history "+change, err)
}

// expectSettingsFault also accepts that the settings are those of another version
// of the software: their head has the layout of the store.
func (x *scene) expectSettingsFault(what string, err error) {
	x.Helper()
	if errors.Is(err, events.ErrOlderVersion) || err != nil && strings.Contains(err.Error(), "made by a newer version") {
		return
	}
	x.expectFault(what, err)
}

func headRemovedOrMoved(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	shown, _ := x.create(ann, full("live")), x.create(bob, full("foreign"))
	key := x.HeadKey("user/ann")
	again := x.Item(t, key)
	x.PutItem(t, key, x.Item(t, x.HeadKey("user/bob")))
	x.expectHeadIsRefused("user/ann", shown, "with the head of another user")
	x.PutItem(t, key, nil)
	x.expectHeadIsRefused("user/ann", shown, "without the head")
	x.PutItem(t, key, again)
	x.SetHeadVersion(t, "user/ann", 0)
	x.expectHeadIsRefused("user/ann", shown, "with a head of version 0")
	x.PutItem(t, key, again)
	x.revoke(ann, shown.ID)
	x.expectSound("ann")
}

// headPutBack puts a whole older head back. Its seal is right, so the record that
// is newer than the head shows it.
func headPutBack(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	first := x.create(ann, full("first"))
	key := x.HeadKey("user/ann")
	older := x.Item(t, key)
	x.create(ann, full("second"))
	newest := x.Item(t, key)
	x.PutItem(t, key, older)
	records := x.records("user/ann")
	_, _, err := x.Create(t.Context(), ann, "", token.Wish{})
	x.expectFault("a create with an older head", err)
	expectText(t, err, "the head was put back to an older one")
	err = x.Revoke(t.Context(), ann, first.ID)
	x.expectFault("a revoke with an older head", err)
	if got := x.records("user/ann"); !reflect.DeepEqual(got, records) {
		t.Errorf("the log has changed: got %d records, want %d", len(got), len(records))
	}
	x.PutItem(t, key, newest)
	x.revoke(ann, first.ID)
	x.expectSound("ann")
}

func expectText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error that says %q", err, want)
	}
}

// plantedRecord plants a record that continues the chain. Its forger has peppers
// of the same name, but not the deployment's.
func plantedRecord(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	shown := x.create(ann, full("live"))
	planted := x.RecordKey("user/ann", 2)
	x.PutItem(t, planted, x.forged(open(t)))
	before, err := x.UserEvents(t.Context(), ann, "ann", 0, 0)
	if err != nil || len(before.Events) != 1 {
		t.Errorf("the history: got %d events, %v, want the one up to the head", len(before.Events), err)
	}
	_, _, err = x.Create(t.Context(), ann, "", token.Wish{})
	x.expectFault("a create with a planted record", err)
	expectText(t, err, "the record was planted")
	err = x.Revoke(t.Context(), ann, shown.ID)
	x.expectFault("a revoke with a planted record", err)
	x.PutItem(t, planted, nil)
	x.revoke(ann, shown.ID)
	x.expectSound("ann")
}

// forged returns the item of a record that continues ann's stream. The forger
// writes it into an own store first.
func (x *scene) forged(own Store) map[string]any {
	x.Helper()
	stream := events.UserStream("ann")
	head, err := x.Store.Head(x.Context(), stream)
	if err != nil {
		x.Fatal(err)
	}
	forger, err := events.ParseKeys("test:" + strings.Repeat("REVG", 11))
	if err != nil {
		x.Fatal(err)
	}
	facts := []events.Fact{events.TokenCreated{TokenID: "FORGED01", Owner: "ann", Creator: "admin"}}
	c, err := events.NewCommit(forger, stream, head, events.Meta{Command: "forged", Actor: "admin", At: x.now}, facts, 1, nil, events.Effect{})
	if err == nil {
		own.PutItem(x, own.HeadKey(stream), x.Item(x, x.HeadKey(stream)))
		err = own.Commit(x.Context(), c)
	}
	if err != nil {
		x.Fatal(err)
	}
	return own.Item(x, own.RecordKey(stream, c.Head().Version))
}

// eachFieldOfARecord expects a fault, or the same history as before: some members
// are not part of a record, such as its place in the outbox.
func eachFieldOfARecord(t *testing.T, open func(*testing.T) Store) {
	x := newScene(t, open(t))
	shown := x.create(ann, full("live"))
	x.create(ann, full("second"))
	x.create(bob, full("foreign"))
	x.revoke(ann, shown.ID)
	want, err := x.UserEvents(t.Context(), ann, "ann", 0, 0)
	if err != nil || len(want.Events) != 3 {
		t.Fatalf("the history: got %d events, %v, want 3", len(want.Events), err)
	}
	faults := 0
	check := func(change string) {
		got, err := x.UserEvents(t.Context(), ann, "ann", 0, 0)
		if err == nil && reflect.DeepEqual(got, want) {
			return
		}
		faults++
		x.expectFault("a history with a record "+change, err)
	}
	for seq := range uint64(3) {
		x.eachChange(x.RecordKey("user/ann", seq+1), x.RecordKey("user/bob", 1), check)
	}
	if faults < 3*12*2 {
		t.Errorf("only %d changes were faults", faults)
	}
	key := x.RecordKey("user/ann", 2)
	again := x.Item(t, key)
	for _, other := range []string{x.RecordKey("user/ann", 1), x.RecordKey("user/bob", 1)} {
		x.PutItem(t, key, x.Item(t, other))
		_, err := x.UserEvents(t.Context(), ann, "ann", 0, 0)
		x.expectFault("a history with another record at its place", err)
	}
	x.PutItem(t, key, again)
	x.expectSound("ann")
}
