// Package attacktest shows what the service does about a store that something else
// has changed: the attacker may write everything in the store and has no pepper.
// Every store runs it. Package localstack/attack shows that each change is a fault.
package attacktest

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
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
	events.Repairs
	storetest.Attacker
}

// Run runs all checks. open returns a new store for each check.
func Run(t *testing.T, open func(*testing.T) Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) Store)
	}{
		{"ARepairRemovesPlantedRecords", plantedRecordsAreRemoved},
		{"ARepairRemovesManyPlantedRecords", manyPlantedRecordsAreRemoved},
		{"ARepairFoldsWhatIsNewerThanAHeadThatWasPutBack", headPutBackIsFolded},
		{"ARepairEndsOlderViews", olderViewsAreEnded},
		{"ARepairFoldsASecondRevocation", secondRevocationIsFolded},
		{"ARepairFoldsSettings", settingsPutBackAreFolded},
		{"ARepairDoesBothAndMayBeInterrupted", mixedRecordsAreRepaired},
		{"ARepairRemovesRecordsOfAStreamThatWasNeverWritten", neverWrittenStreamIsCleared},
		{"ADamagedUseEndsNoList", damagedUseEndsNoList},
		{"ARepairRefusesUnclearRecords", unclearRecordsAreRefused},
		{"ARepairYieldsToCommands", repairYieldsToCommands},
		{"AReplyBelongsToItsRequest", replyBelongsToItsRequest},
		{"AForgedReplyIsAFault", forgedReplyIsAFault},
		{"AReplyOfAnEndedOrRotatedTokenIsRefused", staleReplyIsRefused},
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

func (x *scene) records(s events.Stream) []events.Record {
	x.Helper()
	rs, err := x.Store.History(x.Context(), s, 0, 1000)
	if err != nil {
		x.Fatal(err)
	}
	return rs
}

func expectText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error that says %q", err, want)
	}
}

// forged returns the item of a record that continues ann's stream. The forger
// writes it into an own store first.
func (x *scene) forged(own Store) map[string]any {
	x.Helper()
	return x.forgedUnder("test:"+strings.Repeat("REVG", 11), own)
}

// forgedUnder is forged with the forger's peppers.
func (x *scene) forgedUnder(peppers string, own Store) map[string]any {
	x.Helper()
	stream := events.UserStream("ann")
	head, err := x.Store.Head(x.Context(), stream)
	if err != nil {
		x.Fatal(err)
	}
	forger, err := events.ParseKeys(peppers)
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
