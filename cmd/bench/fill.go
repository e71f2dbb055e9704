package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/infra/bolt"

	"go.etcd.io/bbolt"
)

// folder is a data folder of `apitoken serve`.
type folder struct {
	dir     string
	keys    events.Keys
	expires func(owner int) time.Time // of the tokens of an owner; nil: never
}

const perOwner = 5

// inFolder measures in a new data folder without a store, and then removes it.
func inFolder(measure func(folder) error) error {
	dir, err := os.MkdirTemp("", "bench") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := newFolder(dir)
	if err != nil {
		return err
	}
	return measure(f)
}

func newFolder(dir string) (folder, error) {
	text := newPeppers()
	if err := os.WriteFile(filepath.Join(dir, "peppers"), []byte(text+"\n"), 0o600); err != nil {
		return folder{}, err
	}
	return openFolder(dir)
}

func openFolder(dir string) (folder, error) {
	text, err := os.ReadFile(filepath.Join(dir, "peppers"))
	if err != nil {
		return folder{}, err
	}
	keys, err := events.ParseKeys(strings.TrimSpace(string(text)))
	return folder{dir: dir, keys: keys}, err
}

func newPeppers() string {
	pepper := make([]byte, 33)
	rand.Read(pepper)
	return "1:" + base64.StdEncoding.EncodeToString(pepper)
}

func (f folder) file() string { return filepath.Join(f.dir, "apitoken.db") }

// sample is a token, with its text, and its owner.
type sample struct {
	token secret.Token
	owner string
}

// fill writes n tokens, five for each owner. It returns samples from the whole
// range: one token in a thousand, but at least a thousand tokens.
func (f folder) fill(ctx context.Context, n int) ([]sample, error) {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	every := max(1, n/max(1000, n/1000))
	var known []sample
	jobs := make(chan error, 64)
	waiting := 0
	for first := 0; first < n && err == nil; first += perOwner {
		c, samples, made := f.commitFor(first)
		if err = made; err != nil {
			break
		}
		for i, s := range samples {
			if (first+i)%every == 0 {
				known = append(known, s)
			}
		}
		if waiting == cap(jobs) {
			err = <-jobs
			waiting--
		}
		waiting++
		go func() { jobs <- store.Commit(ctx, c) }()
	}
	for ; waiting > 0; waiting-- {
		if e := <-jobs; err == nil {
			err = e
		}
	}
	if e := store.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return known, f.emptyOutbox()
}

// emptyOutbox removes all unsent events: a real service with these tokens has
// published them long ago.
func (f folder) emptyOutbox() error {
	db, err := bbolt.Open(f.file(), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket([]byte("outbox")); err != nil {
			return err
		}
		_, err := tx.CreateBucket([]byte("outbox"))
		return err
	})
	return errors.Join(err, db.Close())
}

// commitFor is the commit that creates the five tokens of one owner. first is the
// number of the first one.
func (f folder) commitFor(first int) (events.Commit, []sample, error) {
	owner := fmt.Sprintf("user%07d", first/perOwner)
	at := time.Date(2026, 1, 1, 0, 0, 0, first, time.UTC)
	var facts []events.Fact
	var samples []sample
	before, after := token.State{}, token.State{}
	for range perOwner {
		t := secret.Mint("")
		v, err := secret.NewVerifier(f.keys, t, owner)
		if err != nil {
			return events.Commit{}, nil, err
		}
		fact := events.TokenCreated{TokenID: t.ID, Owner: owner, Creator: owner, Name: owner + "_api_token", Verifier: v}
		if f.expires != nil {
			fact.ExpiresAt = instant.Of(f.expires(first / perOwner))
		}
		facts = append(facts, fact)
		after = token.Fold(after, fact, at)
		samples = append(samples, sample{t, owner})
	}
	state, err := token.EncodeState(after)
	if err != nil {
		return events.Commit{}, nil, err
	}
	m := events.Meta{Command: fmt.Sprintf("fill-%d", first), Actor: owner, At: at}
	c, err := events.NewCommit(f.keys, events.UserStream(owner), events.Head{}, m, facts, token.StateV, state,
		token.Effect(before, after, facts, at, 0))
	return c, samples, err
}
