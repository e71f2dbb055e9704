package httpapi_test

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"

	"go.etcd.io/bbolt"
)

// BenchmarkWhoAmI measures GET /v1/session/who-am-i over HTTP, and compares it
// with a minimal service: net/http, one bbolt read and one SHA-256. Both have the
// same clients. Only the real service writes a log.
func BenchmarkWhoAmI(b *testing.B) {
	b.Run("service", func(b *testing.B) {
		store := bolttest.OpenFile(b, filepath.Join(b.TempDir(), "apitoken.db"), bolt.Options{})
		keys := testKeys(b, "k1")
		i := issuer.New(issuer.Config{Store: store, Keys: keys})
		_, text, err := i.Bootstrap(b.Context(), "admin", false)
		if err != nil {
			b.Fatal(err)
		}
		load(b, machine.New(machine.Config{Deployment: "bench", Issuer: i, Guard: i.Guard(), Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}, httpapi.Face()), text.Reveal())
	})
	b.Run("bare", func(b *testing.B) {
		const text = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
		load(b, bare(b, text), text)
	})
}

// bare is a service that knows one token and answers its user.
func bare(b *testing.B, text string) http.Handler {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	sum := sha256.Sum256([]byte(text))
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("t"))
		if err != nil {
			return err
		}
		return bucket.Put([]byte(text[:8]), sum[:])
	})
	if err != nil {
		b.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given))
		var ok bool
		err := db.View(func(tx *bbolt.Tx) error {
			ok = subtle.ConstantTimeCompare(tx.Bucket([]byte("t")).Get([]byte(given[:8])), sum[:]) == 1
			return nil
		})
		if err != nil || !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"admin","name":"admin","permissions":["view","create","edit","delete"]}`)
	})
}

func load(b *testing.B, h http.Handler, text string) {
	server := httptest.NewServer(h)
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/v1/session/who-am-i", nil)
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+text)
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("got %d, %v", res.StatusCode, err)
				return
			}
			res.Body.Close()
		}
	})
}
