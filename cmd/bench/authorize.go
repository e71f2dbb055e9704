package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/infra/bolt"

	"go.etcd.io/bbolt"
)

var (
	authorizeSmall = budget{"authorize, 1,000 tokens in the embedded store", "a bbolt get and an HMAC of the same bytes", 4, "×"}
	authorizeLarge = budget{"authorize, large store", "the same", 4, "×"}
)

// authorize compares the time of an authorization, without HTTP, with the work that
// no such store can avoid.
func (b *bench) authorize(f folder) error {
	samples, err := f.fill(context.Background(), 1000)
	if err != nil {
		return err
	}
	return b.authorizeOn(f, samples, authorizeSmall)
}

// largeStore makes the measurements that need many tokens, all on one store.
func (b *bench) largeStore(f folder) error {
	samples, err := f.fill(context.Background(), b.tokens)
	if err != nil {
		return err
	}
	if err := b.authorizeOn(f, samples, authorizeLarge); err != nil {
		return err
	}
	if err := b.list(f); err != nil {
		return err
	}
	return b.withBare(f, samples, b.tokens, func(ours, bare process) error {
		return cmp.Or(b.memory(ours, samples), b.guardedTime(ours, bare, samples, 1000, guardedLarge))
	})
}

func (b *bench) authorizeOn(f folder, samples []sample, of budget) error {
	texts := make([]string, len(samples))
	for i, s := range samples {
		texts[i] = "Bearer " + s.token.Text().Reveal()
	}
	r, err := ratio(b.rounds,
		func() (float64, error) { return f.authorizeTime(texts) },
		func() (float64, error) { return f.getAndMACTime(samples) })
	if err != nil {
		return err
	}
	b.report(of.of(r))
	return nil
}

const loops = 60_000

// authorizeTime is the time of one authorization, from the header to the
// principal.
func (f folder) authorizeTime(texts []string) (ns float64, err error) {
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	g := guard.New(guard.Config{Views: store, Uses: used{}, Keys: f.keys})
	ctx, source := context.Background(), netip.MustParseAddr("192.0.2.1")
	start := time.Now()
	for i := range loops {
		t, err := guard.Credential(texts[i%len(texts) : i%len(texts)+1])
		if err != nil {
			return 0, err
		}
		if _, err := g.Check(ctx, t, source); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start)) / loops, nil
}

// used ignores last uses: a token has at most one write of its use in 15 minutes.
type used struct{}

func (used) Touch(context.Context, string, events.Use) error { return nil }
func (used) LastUses(context.Context, []string) (map[string]events.Use, error) {
	return nil, nil
}

// getAndMACTime is the time of the work that no such store can avoid: get the
// item, compute a MAC.
func (f folder) getAndMACTime(samples []sample) (ns float64, err error) {
	db, err := bbolt.Open(f.file(), 0o600, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	pepper := make([]byte, 33)
	messages := make([][]byte, len(samples))
	ids := make([][]byte, len(samples))
	for i, s := range samples {
		ids[i] = []byte(s.token.ID)
		messages[i] = []byte(strings.Join([]string{"apitoken/1", s.token.ID, s.owner, s.token.Secret.Reveal()}, "\x00"))
	}
	start := time.Now()
	for i := range loops {
		err := db.View(func(tx *bbolt.Tx) error {
			if tx.Bucket([]byte("token")).Get(ids[i%len(ids)]) == nil {
				return errors.New("a token is missing")
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		h := hmac.New(sha256.New, pepper)
		h.Write(messages[i%len(messages)])
		h.Sum(nil)
	}
	return float64(time.Since(start)) / loops, nil
}
