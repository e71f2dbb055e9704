package stack_test

import (
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/token/tokentest"
	"apitoken/functions/httpapi"
	"apitoken/infra/dynamo"
	"apitoken/localstack/engines"
)

// notedReuse uses the replaced secret of a new token after its grace. The answer must
// have the status, and the table the notice of this use. The service skips the notice
// if it takes too long, so on a busy machine there are several tries.
func (s *stack) notedReuse(status int, use func(t *testing.T, bearer string) engines.Answer) exercise {
	return func(t *testing.T) string {
		keys, err := events.ParseKeys(s.peppers)
		if err != nil {
			t.Fatal(err)
		}
		store := dynamo.New(s.root.DynamoDB(t), s.outputs["TokenTableName"])
		for range 10 {
			c := s.createToken(t, httpapi.CreateRequest{User: newUser("rotated")})
			tokentest.Rotate(t, store, keys, time.Now(), c.ID, 0)
			v, _, err := store.Token(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			days := []time.Time{time.Now()}
			if a := use(t, c.BearerToken.Reveal()); a.Status != status {
				return a.String()
			}
			if s.hasNotice(t, v, append(days, time.Now())) {
				return ""
			}
		}
		return "the secret is refused, but none of ten uses was noted"
	}
}

// hasNotice reports whether the table has the notice TokenReused about the token, of
// one of the days.
func (s *stack) hasNotice(t *testing.T, v events.View, days []time.Time) bool {
	t.Helper()
	for _, day := range days {
		m, err := events.NewNotice(events.Reused(v, day), day)
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Items []object }
		s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.Query", s.partitionQuery("NOTICE#"+m.ID), &out)
		if len(out.Items) > 0 {
			return true
		}
	}
	return false
}
