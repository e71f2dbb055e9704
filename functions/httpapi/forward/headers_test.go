package forward_test

import (
	"maps"
	"slices"
	"testing"

	"apitoken/functions/httpapi/forward"
)

// TestAPassingAnswerHasOnlyTheHeadersThatAProxyNeeds, because the proxy of each request
// waits until it has read them. No cache may keep the answer. A refusal reaches the
// client, so it also has the headers for browsers.
func TestAPassingAnswerHasOnlyTheHeadersThatAProxyNeeds(t *testing.T) {
	s := newScene(t)
	h := s.handler()
	for word, sub := range words {
		r := sub(question)
		r.Header.Set("Authorization", "Bearer "+s.free)
		got := ask(h, r).Header
		want := []string{forward.Expires, forward.Owner, forward.Scopes, forward.TokenID, "Cache-Control", "X-Request-Id"}
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got the headers %q, want %q", word, got, want)
		}
		refused := ask(h, sub(question)).Header
		for _, name := range []string{"Cache-Control", "Content-Security-Policy", "X-Content-Type-Options", "X-Request-Id"} {
			if refused.Get(name) == "" {
				t.Errorf("%s: a refusal has no %s", word, name)
			}
		}
	}
}
