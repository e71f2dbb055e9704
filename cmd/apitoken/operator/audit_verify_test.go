package operator

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// logCopies are copies of all events of a log.
type logCopies struct{ events.Log }

func (c logCopies) Copy(ctx context.Context, s events.Stream, after uint64, limit int) (ms []events.Message, err error) {
	rs, err := c.History(ctx, s, after, limit)
	for _, r := range rs {
		if s != "user/mallory" {
			ms = append(ms, r.Message())
		}
	}
	return ms, err
}

// TestVerifyComparesViewsAndGoesOnAfterDamage puts a revoked token back, and
// damages the view of another.
func TestVerifyComparesViewsAndGoesOnAfterDamage(t *testing.T) {
	store := bolttest.OpenAttacked(t, t.TempDir()+"/apitoken.db", bolt.Options{NoSync: true})
	i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys})
	var ids []string
	for range 3 {
		v, _, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	view := store.Item(t, store.ViewKey(ids[0]))
	i = issuer.New(issuer.Config{Store: store, Keys: storetest.Keys})
	if err := i.Revoke(t.Context(), guard.Principal{Owner: "ann"}, ids[0]); err != nil {
		t.Fatal(err)
	}
	verify := func() (string, error) {
		var out bytes.Buffer
		s := &source{log: store, keys: storetest.Keys, copies: logCopies{store}, ids: store.TokenIDs, streams: []events.Stream{"user/ann"}}
		err := newVerification(s, &console.Env{Out: &out}).run(t.Context())
		return out.String(), err
	}
	if out, err := verify(); err != nil {
		t.Errorf("unchanged: got %v\n%s", err, out)
	}
	store.PutItem(t, store.ViewKey(ids[0]), view)
	bad := store.Item(t, store.ViewKey(ids[1]))
	delete(bad, "18") // its seal
	store.PutItem(t, store.ViewKey(ids[1]), bad)
	out, err := verify()
	for _, want := range []string{
		"rolled_back token/" + ids[0], "damaged token/" + ids[1],
		"damaged token/" + ids[0], // the entry of the index still says that the token was revoked
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("got %s, want %q once", out, want)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "3 findings") {
		t.Errorf("got %v, want 3 findings", err)
	}
}
