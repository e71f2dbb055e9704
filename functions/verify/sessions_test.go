package main

import (
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// TestASessionThatWasPutBackIsFound: with the rights of the role, and sound sessions are
// no finding.
func TestASessionThatWasPutBackIsFound(t *testing.T) {
	x := newScene(t)
	var ids []string
	for range 2 {
		opened, _, err := x.OpenSession(t.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaPassword})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, opened.ID)
	}
	old := x.table.Item(t, x.table.ViewKey(ids[0]))
	x.revoke("ann", ids[0])
	x.keepCopies()
	if o, found := x.run(t.Context(), x.verifier()); len(found) > 0 {
		t.Fatalf("sound sessions: got %+v, %v", o, found)
	}
	x.table.PutItem(t, x.table.ViewKey(ids[0]), old)
	if o, found := x.run(t.Context(), x.verifier()); len(found) != 1 || !strings.Contains(found[0], ids[0]) {
		t.Errorf("a session that was put back: got %+v, %v, want a finding about %s", o, found, ids[0])
	}
}
