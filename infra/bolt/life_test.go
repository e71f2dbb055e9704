package bolt_test

import (
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/bolt/bolttest"
)

func openQuickly(t testing.TB) events.Store { return bolttest.Open(t) }

func TestTokensKeepTheirRulesInEveryHistory(t *testing.T) {
	lifetest.Machine(t, 1_000_000, openQuickly)
}

func TestSuspensionStopsEveryCallThatBeginsLater(t *testing.T) { lifetest.Suspension(t, openQuickly) }

func TestAnInterruptedOffboardingEndsTheSame(t *testing.T) { lifetest.Offboarding(t, openQuickly) }
