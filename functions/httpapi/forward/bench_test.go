package forward_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi/forward"
	"apitoken/infra/bolt/bolttest"
)

// discarded is an answer that nothing reads.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}

// verdicts returns a function that asks for one verdict, which lets the request pass.
func verdicts(t testing.TB) func() {
	i := issuer.New(issuer.Config{Store: bolttest.Open(t), Keys: storetest.Keys})
	_, text, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	h := forward.New(forward.Config{Guard: i.Guard(), Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	r := words["nginx"](question)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+text.Reveal())
	answer := &discarded{http.Header{}}
	send := func() {
		clear(answer.header)
		h.ServeHTTP(answer, r)
		if answer.header[forward.Owner] == nil {
			t.Fatalf("the request does not pass: %v", answer.header)
		}
	}
	send()
	// This token is written after the use of the first one: no later request stores a use.
	if _, _, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	return send
}

// BenchmarkVerdict is the work of one verdict with its log line, without the server of
// net/http.
func BenchmarkVerdict(b *testing.B) {
	send := verdicts(b)
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
}
