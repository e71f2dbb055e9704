package stack_test

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"
)

// expireRun makes a token that expires in five days and one that expired yesterday,
// both as if they were 50 days old. The function must warn about the first one, note
// it, and record the expiry of the second one.
func (s *stack) expireRun(t *testing.T) string {
	keys, err := events.ParseKeys(s.peppers)
	if err != nil {
		t.Fatal(err)
	}
	store := dynamo.New(s.root.DynamoDB(t), s.outputs["TokenTableName"])
	const day = 24 * time.Hour
	i := issuer.New(issuer.Config{Store: store, Keys: keys, Now: func() time.Time { return time.Now().Add(-50 * day) }})
	owner := newUser("expire").Name
	made := map[int]issuer.Token{}
	for _, days := range []int{55, 49} {
		v, _, err := i.Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{ExpiresIn: time.Duration(days) * day})
		if err != nil {
			t.Fatal(err)
		}
		made[days] = v
	}
	run := s.root.Invoke(t, s.ids["ExpireFunction"], object{"detail-type": "Scheduled Event"})
	if run.Failed {
		return run.Answer
	}
	notice, err := events.NewNotice(events.Expires(made[55].View, 7), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if s.itemOf(t, item.MessageKey(notice.ID)) == nil {
		t.Errorf("the function answers %s, but there is no notice %s", run.Answer, notice.ID)
	}
	if view := s.itemOf(t, item.ViewKey(made[55].ID)); view[item.ViewWarned] == nil {
		t.Errorf("the function answers %s, but the view has no note: %v", run.Answer, view)
	}
	if v, _, err := store.Token(t.Context(), made[49].ID); err != nil || v.Ended != events.EndedExpired {
		t.Errorf("the function answers %s, but the expiry is not recorded: %+v, %v", run.Answer, v, err)
	}
	return ""
}

// itemOf returns an item of the log, nil if it is missing.
func (s *stack) itemOf(t *testing.T, key item.Item) object {
	t.Helper()
	var out struct{ Item object }
	s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.GetItem", object{
		"TableName": s.outputs["TokenTableName"], "ConsistentRead": true,
		"Key": object{item.PK: object{"S": item.TextOf(key, item.PK)}, item.SK: object{"S": item.TextOf(key, item.SK)}},
	}, &out)
	return out.Item
}
