package attack

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/events/issuer"
)

// attack is an attack with whole items.
type attack struct {
	name  string
	do    func(s *scene, all map[place]item) (damaged []place)
	check func(s *scene, after string)

	// repair is the documented repair. After it the token "plain" can be revoked.
	repair func(s *scene, genuine map[place]item, damaged []place)

	// found is what the comparison with the audit copies must find, empty if the
	// next call of the service finds the attack. compared is the stream.
	found    audit.Kind
	compared events.Stream
}

// TestWholeItemsThatWereMovedOrPlantedAreFaults: the next call finds each of these
// attacks.
func TestWholeItemsThatWereMovedOrPlantedAreFaults(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) { s.tryAll(moved) })
}

// TestWhatOnlyAComparisonFinds: after these attacks the service answers from the
// items that it finds. Each check has exactly what the attacker gains.
func TestWhatOnlyAComparisonFinds(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) { s.tryAll(onlyByComparison) })
}

func (s *scene) tryAll(attacks []attack) {
	s.Helper()
	s.expectTruth("before the attacks")
	for _, a := range attacks {
		genuine := s.remember()
		damaged := a.do(s, genuine)
		s.restart()
		a.check(s, "after "+a.name)
		s.compare(a)
		a.repair(s, genuine, damaged)
		s.restart()
		s.expectRevocable(s.token("plain"), "after "+a.name)
		s.expectSound("after " + a.name + " and its repair")
		reset(s, s.victim, genuine)
		s.restart()
		s.expectTruth("after " + a.name + " and its repair")
	}
}

// expectSound expects that the comparison finds nothing in any stream.
func (s *scene) expectSound(after string) {
	s.Helper()
	for _, stream := range slices.Sorted(maps.Keys(s.copies)) {
		report, err := s.comparison(0).Stream(s.Context(), stream)
		if err != nil || len(report.Findings) > 0 {
			s.Errorf("%s: comparing %s: got %v, %v, want no finding", after, stream, report.Findings, err)
		}
	}
}

// compare expects that the comparison of the stream finds the attack.
func (s *scene) compare(a attack) {
	s.Helper()
	if a.found == "" {
		return
	}
	report, err := s.comparison(audit.GracePeriod).Stream(s.Context(), a.compared)
	if err != nil {
		s.Errorf("after %s: comparing %s: %v", a.name, a.compared, err)
	}
	for _, f := range report.Findings {
		if f.Kind == a.found {
			return
		}
	}
	s.Errorf("after %s: the comparison found %v, want %s", a.name, report.Findings, a.found)
}

// comparison is the one of the function verify and of the command audit verify,
// a time from now.
func (s *scene) comparison(later time.Duration) compare.Comparison {
	return compare.Comparison{
		Store: s.victim.service(s), Copies: s.copies, Keys: keys, Now: func() time.Time { return s.now.Add(later) },
	}
}

// put returns the place that it writes.
func (s *scene) put(p place, i item) []place {
	s.Helper()
	if !s.victim.put(s, p, i) {
		s.Fatalf("the store refuses an item at %q %q", p.space, p.key)
	}
	return []place{p}
}

func (s *scene) viewOf(name string) place { return s.victim.view(s.token(name).id) }

// restored is the repair from a backup.
func restored(s *scene, genuine map[place]item, damaged []place) { s.restore(genuine, damaged...) }

// repaired is the repair by the command audit repair of ann's stream. It restores
// nothing.
func repaired(s *scene, _ map[place]item, _ []place) {
	s.Helper()
	steps := 0
	if err := issuer.Repair(s.Context(), s.victim.repairs(s), keys, ann, s.now, func(string) error { steps++; return nil }); err != nil || steps == 0 {
		s.Errorf("repairing: got %d steps, %v, want one or more", steps, err)
	}
}

// revokedAgain is the repair of an older view that was put back.
func revokedAgain(name string) func(*scene, map[place]item, []place) {
	return func(s *scene, _ map[place]item, _ []place) {
		h := s.token(name)
		if a := s.askRevoke(h); a.status != http.StatusOK {
			s.Errorf("revoking %s again: got %s, want 200", name, a)
		}
		ended := *h
		ended.revoked = true
		s.expectNoGain("after the second revocation of "+name, &ended)
		if a := s.askRevoke(h); a.status != http.StatusNotFound {
			s.Errorf("revoking %s a third time: got %s, want 404", name, a)
		}
	}
}
