package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// refetchEvery is the time between two fetches of the keys of an issuer. Everybody can
// send a JWT with an unknown key, and each of them would otherwise be a fetch.
const refetchEvery = 10 * time.Second

// algorithms are the signatures that pass. Each of them needs a public key: with HMAC
// the public key itself would be the secret.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// keySet has the keys of an issuer. Many goroutines may use it.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	turn   chan struct{}     // who holds its value may fetch, and reads and writes what follows
	keys   []jose.JSONWebKey // nil: never fetched
	asked  time.Time         // of the last fetch
	failed error             // its error
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	return &keySet{url: url, client: client, now: now, turn: make(chan struct{}, 1)}
}

var errNoKey = errors.New("no key of the issuer verifies the signature")

// verify returns the payload of a JWT that one of the keys verifies. The error is
// errNoKey, or a fault.
func (k *keySet) verify(ctx context.Context, signed *jose.JSONWebSignature) ([]byte, error) {
	keys, fresh, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	payload := verifyWith(keys, signed)
	if payload == nil && !fresh { // the issuer may have a new key
		if keys, err = k.again(ctx); err != nil {
			return nil, err
		}
		payload = verifyWith(keys, signed)
	}
	if payload == nil {
		return nil, errNoKey
	}
	return payload, nil
}

// current returns the keys, and whether this call fetched them. Keys that were fetched
// stay in use if a later fetch failed: otherwise everybody could end the sign-ins of all
// others, with an unknown key at a bad moment.
func (k *keySet) current(ctx context.Context) (keys []jose.JSONWebKey, fresh bool, err error) {
	if err := k.lock(ctx); err != nil {
		return nil, false, err
	}
	defer k.unlock()
	if k.keys != nil {
		return k.keys, false, nil
	}
	k.fetch(ctx)
	return k.keys, true, k.failed
}

// again returns the keys as they are now, or as the last fetch found them just now.
func (k *keySet) again(ctx context.Context) ([]jose.JSONWebKey, error) {
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	k.fetch(ctx)
	return k.keys, k.failed
}

func (k *keySet) lock(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the keys: %w", ctx.Err())
	}
}

func (k *keySet) unlock() { <-k.turn }

// fetch reads the keys, unless the last fetch was just now. A caller that leaves does
// not end it, because others wait for the same keys.
func (k *keySet) fetch(ctx context.Context) {
	if isRecent(k.asked, k.now(), refetchEvery) {
		return
	}
	keys, err := fetchKeys(context.WithoutCancel(ctx), k.client, k.url)
	k.asked, k.failed = k.now(), nil
	if err != nil {
		k.failed = fmt.Errorf("fetching the keys: %w", brief(err))
		return
	}
	k.keys = append([]jose.JSONWebKey{}, keys...) // an empty list is fetched too
}

func fetchKeys(ctx context.Context, client *http.Client, url string) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, errors.New("the answer is no JSON Web Key Set")
	}
	return parseKeys(set.Keys), nil
}

// parseKeys returns the public keys for signatures. As RFC 7517 section 5 asks, it
// ignores keys that it does not understand: an issuer may add a new kind of key.
func parseKeys(texts []json.RawMessage) (keys []jose.JSONWebKey) {
	for _, text := range texts {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	return keys
}

// verifyWith returns the payload if one of the keys verifies the signature. A key with a
// name or an algorithm verifies only what has the same.
func verifyWith(keys []jose.JSONWebKey, signed *jose.JSONWebSignature) []byte {
	header := signed.Signatures[0].Header
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload
		}
	}
	return nil
}
