package dynamo_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
)

// TestAMalformedExpiryHidesNoOther: four partitions have two pages each. The first
// page has a malformed entry only.
func TestAMalformedExpiryHidesNoOther(t *testing.T) {
	entry := func(id, expires string) string {
		return fmt.Sprintf(`{"PK":{"S":"TOKEN#%s"},"SK":{"S":"TOKEN"},"due":{"S":"DUE#0"},"expires_at":{"S":"%s"},"owner":{"S":"ann"}}`, id, expires)
	}
	bad := answer{200, `{"Items":[` + entry("bad", "2027-03-01") + `],"LastEvaluatedKey":` + entry("bad", "2027-03-01") + `}`}
	good := answer{200, `{"Items":[` + entry("good", "2027-03-01T00:00:00.000000Z") + `]}`}
	store, s := stubbed(t, map[string][]answer{"Query": {bad, good, bad, good, bad, good, bad, good}})
	pages := 0
	err := store.Expiring(t.Context(), "", time.Time{}, time.Now(), func(es []events.Expiring) error {
		if pages++; len(es) != 1 || es[0].TokenID != "good" {
			t.Errorf("got the page %+v", es)
		}
		return nil
	})
	if !errors.Is(err, events.ErrDamaged) || pages != item.DueShards {
		t.Errorf("got %d pages, %v; want one of each partition, and ErrDamaged", pages, err)
	}
	var partitions []string
	for _, body := range s.of("Query") {
		in := decode(t, body)
		partitions = append(partitions, in["ExpressionAttributeValues"].(map[string]any)[":shard"].(map[string]any)["S"].(string))
		if in["IndexName"] != "due" || in["ConsistentRead"] != nil {
			t.Errorf("got the query %s", body)
		}
	}
	slices.Sort(partitions)
	if want := []string{"DUE#0", "DUE#1", "DUE#2", "DUE#3"}; !slices.Equal(slices.Compact(partitions), want) {
		t.Errorf("got queries of %v, want each of %v", partitions, want)
	}
}

// TestANoteThatACommitWouldRemoveIsNoFault: the view changes at the same time, or
// has changed.
func TestANoteThatACommitWouldRemoveIsNoFault(t *testing.T) {
	for code, want := range map[string]bool{"TransactionConflictException": true, "ConditionalCheckFailedException": true, "AccessDeniedException": false} {
		store, _ := stubbed(t, map[string][]answer{"UpdateItem": {fault(code)}})
		if err := store.NoteWarning(t.Context(), "JhxND7ci", 1, 7); (err == nil) != want {
			t.Errorf("%s: got %v, want no error: %t", code, err, want)
		}
	}
}

// TestAMovedPlaceInTheDueIndexIsADamagedView: whether a writer of the table removes
// the place or changes it, the view is no longer trusted. A note decides nothing.
func TestAMovedPlaceInTheDueIndexIsADamagedView(t *testing.T) {
	c := client(t)
	table := newTable(t, c)
	a := dynamotest.New(c, table)
	s := newScene(dynamo.New(c, table), time.Now)
	v, _, err := s.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{ExpiresIn: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	made := v.ID
	key := a.ViewKey(made)
	members := a.Item(t, key)
	for what, change := range map[string]func(map[string]any){
		"removed": func(m map[string]any) { delete(m, item.DuePK) },
		"changed": func(m map[string]any) { m[item.DuePK] = item.Text("DUE#9") },
	} {
		planted := a.Item(t, key)
		change(planted)
		a.PutItem(t, key, planted)
		if _, _, err := s.store.Token(t.Context(), made); events.DamagedToken(err) != made {
			t.Errorf("%s: got %v, want a damaged view", what, err)
		}
	}
	members[item.ViewWarned] = item.Text("no number")
	a.PutItem(t, key, members)
	if _, _, err := s.store.Token(t.Context(), made); err != nil {
		t.Errorf("a planted note: %v", err)
	}
}
