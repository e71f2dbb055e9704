package issuer_test

import (
	"testing"
	"time"

	"apitoken/events/token"
)

// TestACallThatHadBegunGetsNoSecret: the guard accepted the token, and then it was
// ended. A call of another owner is bound by the permissions alone.
func TestACallThatHadBegunGetsNoSecret(t *testing.T) {
	for name, end := range map[string]func(s *scene, id string){
		"revoked": func(s *scene, id string) {
			if err := s.Revoke(t.Context(), person("ann"), id); err != nil {
				t.Fatal(err)
			}
		},
		"expired": func(s *scene, _ string) { s.wait(time.Hour); s.create(person("ann"), "", token.Wish{}) },
	} {
		s := newScene(t)
		made, shown := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
		other, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
		by, err := s.Guard().Check(t.Context(), shown, here)
		if err != nil {
			t.Fatal(err)
		}
		end(s, made.ID)
		version := s.state("ann").Version
		calls := map[string]func() error{
			"create": func() error {
				_, _, err := s.Create(t.Context(), by, "", token.Wish{ExpiresIn: time.Minute})
				return err
			},
		}
		if name == "revoked" { // the other token has not ended
			calls["rotate"] = func() error { _, _, err := s.Rotate(t.Context(), by, other.ID, nil, nil); return err }
			calls["update"] = func() error {
				return errorOf(s.Update(t.Context(), by, other.ID, token.Update{Wish: token.Wish{Name: "n"}, Given: token.Members{Name: true}}))
			}
		}
		for call, do := range calls {
			if got := refusalCode(t, do()); got != token.CodeEnded {
				t.Errorf("%s with a token that is %s: got %q, want %s", call, name, got, token.CodeEnded)
			}
		}
		if now := s.state("ann").Version; now != version {
			t.Errorf("%s: %d records were written", name, now-version)
		}
	}
}
