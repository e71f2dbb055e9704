package bolt

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// filled returns a store with n tokens of the usual size, and their ids.
func filled(b *testing.B, n int) (*Store, []string) {
	b.Helper()
	s := openAt(b, newPath(b), Options{NoSync: true})
	var ids []string
	for i := range n {
		v := events.View{
			ID: fmt.Sprintf("t%07d", i*7919%10_000_000), Owner: fmt.Sprint("owner", i/5), Creator: "admin", Name: "owner_api_token",
			Verifier:  events.Verifier{Kid: "1", MAC: make([]byte, 32)},
			CreatedAt: time.Now().UTC(), ExpiresAt: time.Now().UTC().AddDate(1, 0, 0), First: 1, Seq: 1,
			Scopes: []string{"GET /v1/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		}
		ids = append(ids, v.ID)
		commit(b, s, newCommit(b, fmt.Sprint("stream", i), events.Head{}, v))
	}
	return s, ids
}

func BenchmarkToken(b *testing.B) {
	s, ids := filled(b, 1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, err := s.Token(b.Context(), ids[i%len(ids)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkBareGetAndMAC is the baseline for authorizing: a bbolt get and an
// HMAC of the bytes that it returned.
func BenchmarkBareGetAndMAC(b *testing.B) {
	s, ids := filled(b, 1000)
	b.ReportAllocs()
	key := make([]byte, 32)
	i := 0
	for b.Loop() {
		err := s.db.View(func(tx *bbolt.Tx) error {
			h := hmac.New(sha256.New, key)
			h.Write(tx.Bucket(tokenBucket).Get([]byte(ids[i%len(ids)])))
			h.Sum(nil)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkCommit(b *testing.B) {
	s := openAt(b, newPath(b), Options{})
	base := events.Head{}
	for b.Loop() {
		c := newCommit(b, "ann", base)
		commit(b, s, c)
		base = c.Head()
	}
}
