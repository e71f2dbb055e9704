package bolt_test

import (
	"os"
	"path/filepath"
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
	"apitoken/localstack/longtest"
)

func openQuickly(t testing.TB) events.Store { return bolttest.Open(t) }

// TestTokensKeepTheirRulesInEveryHistory draws 2,000 histories at most, which take
// about two minutes, and 20 with APITOKEN_SHORTER=1.
func TestTokensKeepTheirRulesInEveryHistory(t *testing.T) {
	most := 2000
	if longtest.Shorter() {
		most = 20
	}
	lifetest.Machine(t, most, openQuickly)
}

func TestSuspensionStopsEveryCallThatBeginsLater(t *testing.T) { lifetest.Suspension(t, openQuickly) }

func TestAnInterruptedOffboardingEndsTheSame(t *testing.T) { lifetest.Offboarding(t, openQuickly) }

// TestLostAnswersAreRepeated sends 1000 requests of each kind, and 250 with
// APITOKEN_SHORTER=1.
func TestLostAnswersAreRepeated(t *testing.T) {
	requests := 1000
	if longtest.Shorter() {
		requests = 250
	}
	lifetest.LostAnswers(t, requests, func(t *testing.T) lifetest.Lossy { return lifetest.LosesCommits(openQuickly(t)) })
}

// TestTheFileRevealsNoSecret reads the file as it is on the disk.
func TestTheFileRevealsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "apitoken.db")
	open := func(t testing.TB) events.Store { return bolttest.OpenFile(t, path, bolt.Options{NoSync: true}) }
	lifetest.AtRest(t, open, func(t testing.TB, _ events.Store) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
