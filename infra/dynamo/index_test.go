package dynamo_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"

	"apitoken/localstack/longtest"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// indexes answers queries of the list index and the owner index from items, as
// DynamoDB documents it: in the order of the sort key, at most Limit entries, and
// fewer if the page would have too many bytes. Here most counts them.
type indexes struct {
	views   []item.Item
	most    int // entries of a page, in place of 1 MB
	queries int // since the last call of Tokens
	items   int
}

type queryIn struct {
	IndexName                 string
	Limit                     int
	FilterExpression          *string
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]struct{ S string }
	ExclusiveStartKey         map[string]struct{ S string }
}

func (x *indexes) RoundTrip(r *http.Request) (*http.Response, error) {
	var in queryIn
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || in.KeyConditionExpression != "#hash = :hash AND #place BETWEEN :first AND :last" || in.FilterExpression != nil {
		return nil, fmt.Errorf("not a query of an index: %s, %v", body, err)
	}
	out, err := json.Marshal(x.query(in))
	return response(r, answer{200, string(out)}), err
}

func (x *indexes) query(in queryIn) map[string]any {
	hash, after := in.ExpressionAttributeNames["#hash"], in.ExclusiveStartKey[item.ListSK].S
	first, last := in.ExpressionAttributeValues[":first"].S, in.ExpressionAttributeValues[":last"].S
	keys := map[string]string{item.ListIndex: item.ListPK, item.OwnerIndex: item.OwnerPK}
	attributes := map[string][]string{item.ListIndex: item.ListAttributes, item.OwnerIndex: item.OwnerAttributes}
	var entries []item.Item
	for _, v := range x.views {
		place := item.TextOf(v, item.ListSK)
		if hash == keys[in.IndexName] && item.TextOf(v, hash) == in.ExpressionAttributeValues[":hash"].S && first <= place && place <= last && place > after {
			entries = append(entries, v)
		}
	}
	slices.SortFunc(entries, func(a, b item.Item) int {
		return strings.Compare(item.TextOf(a, item.ListSK), item.TextOf(b, item.ListSK))
	})
	answer := map[string]any{}
	if n := min(in.Limit, x.most); n <= len(entries) {
		entries = entries[:n]
		answer["LastEvaluatedKey"] = projection(entries[n-1], item.PK, item.SK, hash, item.ListSK)
	}
	var shown []any
	for _, e := range entries {
		shown = append(shown, projection(e, append([]string{item.PK, item.SK, hash, item.ListSK}, attributes[in.IndexName]...)...))
	}
	x.queries++
	x.items += len(entries)
	answer["Items"], answer["Count"], answer["ScannedCount"] = shown, len(entries), len(entries)
	return answer
}

func projection(it item.Item, names ...string) map[string]any {
	part := map[string]any{}
	for _, name := range names {
		switch v := it[name].(type) {
		case *types.AttributeValueMemberS:
			part[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			part[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberB:
			part[name] = map[string]any{"B": v.Value}
		case *types.AttributeValueMemberBOOL:
			part[name] = map[string]any{"BOOL": v.Value}
		}
	}
	return part
}

// add puts a view into the indexes.
func (x *indexes) add(owner string, at time.Time, revoked bool) events.View {
	v := events.View{ID: fmt.Sprintf("%08d", len(x.views)), Owner: owner, CreatedAt: at, First: 1, Seq: 1}
	if revoked {
		v.Ended, v.EndedAt = events.EndedRevoked, at
	}
	x.views = append(x.views, item.View(v))
	return v
}

// walkPages reads all pages of a query. Each call must keep the bounds, and each
// next must move and, in a list of owners, name one of these views.
func (x *indexes) walkPages(t *testing.T, q events.Query, own []events.View) (ids []string, calls int) {
	t.Helper()
	store := dynamo.New(via(clientAt(t, "http://127.0.0.1:1"), x), "tokens")
	for more := true; more; calls++ {
		x.queries, x.items = 0, 0
		p, err := store.Tokens(t.Context(), q)
		if err != nil || len(p.Damaged) > 0 {
			t.Fatalf("Tokens: %v, damaged %v", err, p.Damaged)
		}
		if x.queries > 36+len(q.Owners) || x.items > 10_000+len(q.Owners) || len(p.Views) > q.Limit {
			t.Fatalf("one call made %d queries of %d entries and answered %d views, want at most 36, 10,000 and %d", x.queries, x.items, len(p.Views), q.Limit)
		}
		for _, v := range p.Views {
			ids = append(ids, v.ID)
		}
		if p.More && p.Next.Compare(q.After) <= 0 {
			t.Fatalf("next %v is not after %v", p.Next, q.After)
		}
		named := slices.ContainsFunc(own, func(v events.View) bool { return v.Position() == p.Next })
		if len(q.Owners) > 0 && p.More && !named {
			t.Fatalf("next %v is no token of %v", p.Next, q.Owners)
		}
		q.After, more = p.Next, p.More
	}
	return ids, calls
}

// TestEveryTokenOfManyMonthsIsListedOnce: 110 months are more than three calls read.
// Most months have no token of a filter. With APITOKEN_SHORTER=1 all pages are of two
// tokens.
func TestEveryTokenOfManyMonthsIsListedOnce(t *testing.T) {
	limits := []int{1, 2, 100}
	if longtest.Shorter() {
		limits = limits[1:2]
	}
	for _, most := range []int{1, 3, 1000} {
		x := &indexes{most: most}
		owners := []string{"ann", "ACTIVE_DIRECTORY:ann", "bob"}
		var all []events.View
		start := time.Date(2026, 1, 31, 23, 59, 59, 999_999_000, time.UTC)
		for n := range 220 {
			if n%55 < 40 { // the others are a gap of seven months
				all = append(all, x.add(owners[n%3], start.AddDate(0, 0, 15*n), n%4 == 3))
			}
		}
		now := start.AddDate(0, 110, 0)
		for _, of := range [][]string{nil, owners[:1], owners[:2], {"bob", "absent", ""}} {
			for _, states := range [][]events.TokenState{nil, {events.StateActive}, {events.StateRevoked}, {events.StateExpired}} {
				q := events.Query{Owners: of, States: states, Now: now}
				var want []string
				var own []events.View
				for _, v := range all {
					if q.Matches(v) {
						want = append(want, v.ID)
					}
					if slices.Contains(of, v.Owner) {
						own = append(own, v)
					}
				}
				for _, q.Limit = range limits {
					if got, _ := x.walkPages(t, q, own); !slices.Equal(got, want) {
						t.Errorf("owners %q, states %v, pages of %d and %d: got %v, want %v", of, states, q.Limit, most, got, want)
					}
				}
			}
		}
	}
}

// TestAListOfAnOwnerReadsOnlyTheTokensOfTheOwner: the month has many tokens of
// others, which nothing may read.
func TestAListOfAnOwnerReadsOnlyTheTokensOfTheOwner(t *testing.T) {
	x := &indexes{most: 50}
	var own []events.View
	for n := range 2000 {
		owner := fmt.Sprint("user", n%400)
		if v := x.add(owner, time.Date(2026, 11, 1, 0, 0, n, 0, time.UTC), true); owner == "user7" {
			own = append(own, v)
		}
	}
	q := events.Query{Owners: []string{"user7"}, Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Limit: 100}
	for _, q.States = range [][]events.TokenState{{events.StateRevoked}, {events.StateExpired}, nil} {
		_, calls := x.walkPages(t, q, own)
		if calls != 1 || x.queries != 1 || x.items != len(own) {
			t.Errorf("%v: got %d calls, the last with %d queries of %d entries, want one query of %d", q.States, calls, x.queries, x.items, len(own))
		}
	}
}

// TestACallReadsABoundedNumberOfEntries: no entry of a large month matches.
func TestACallReadsABoundedNumberOfEntries(t *testing.T) {
	longtest.SkipSequential(t)
	x := &indexes{most: 2000}
	for n := range 21_000 {
		x.add("ann", time.Date(2026, 11, 1, 0, 0, n, 0, time.UTC), false)
	}
	q := events.Query{States: []events.TokenState{events.StateRevoked}, Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), After: events.Position{At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}, Limit: 1}
	if ids, calls := x.walkPages(t, q, nil); len(ids) != 0 || calls != 3 {
		t.Errorf("got %v in %d calls, want nothing in 3", ids, calls)
	}
}
