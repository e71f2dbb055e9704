package dynamo_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// meter adds up the read units that the engine reports.
type meter struct {
	mu    sync.Mutex
	units float64
}

func (m *meter) add(cs ...types.ConsumedCapacity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range cs {
		m.units += *c.CapacityUnits
	}
}

// metered is a client all of whose reads are counted.
func metered(c *dynamodb.Client, m *meter) *dynamodb.Client {
	count := middleware.InitializeMiddlewareFunc("meter", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		switch p := in.Parameters.(type) {
		case *dynamodb.GetItemInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.QueryInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.ScanInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.BatchGetItemInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		}
		out, meta, err := next.HandleInitialize(ctx, in)
		switch r := out.Result.(type) {
		case *dynamodb.GetItemOutput:
			m.add(*r.ConsumedCapacity)
		case *dynamodb.QueryOutput:
			m.add(*r.ConsumedCapacity)
		case *dynamodb.ScanOutput:
			m.add(*r.ConsumedCapacity)
		case *dynamodb.BatchGetItemOutput:
			m.add(r.ConsumedCapacity...)
		}
		return out, meta, err
	})
	return dynamodb.New(c.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Initialize.Add(count, middleware.Before) })
	})
}

// TestReadsStayInTheirUnits counts as the engine does, for an owner with five
// used tokens and one of them newly made. The month also has a hundred tokens of
// other owners, which cost more than these budgets.
func TestReadsStayInTheirUnits(t *testing.T) {
	c := client(t)
	m := &meter{}
	s := newScene(dynamo.New(metered(c, m), newTable(t, c)), time.Now)
	ann := guard.Principal{Owner: "ann"}
	key, used := issuer.RequestKey{Route: "a route", Value: "the-key-of-a-client"}, ""
	create := func() {
		t.Helper()
		made, text, err := s.Create(t.Context(), ann, "", token.Wish{Description: "deployment from the build server"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.check(t, text); err != nil { // notes its first use
			t.Fatal(err)
		}
		used = made.ID
	}
	for n := range 100 {
		if _, _, err := s.Create(t.Context(), guard.Principal{Owner: fmt.Sprint("other", n/tokenLimit)}, "", token.Wish{Description: "deployment from the build server"}); err != nil {
			t.Fatal(err)
		}
	}
	for range tokenLimit - 1 {
		create()
	}
	var last issuer.Token
	for _, step := range []struct {
		what string
		most float64
		do   func() error
	}{
		{"create", 1, func() (err error) {
			last, _, err = s.Create(t.Context(), ann, "", token.Wish{Description: "deployment from the build server"})
			return err
		}},
		{"create with a key", 2, func() error {
			_, err := s.CreateOnce(t.Context(), guard.Principal{Owner: "bea", TokenID: last.ID}, key, "", token.Wish{})
			return err
		}},
		{"update", 2, func() error {
			_, err := s.Update(t.Context(), ann, last.ID, token.Update{Wish: token.Wish{Name: "build"}, Given: token.Members{Name: true}})
			return err
		}},
		{"rotate", 2, func() error { _, _, err := s.Rotate(t.Context(), ann, last.ID, nil, nil); return err }},
		{"rotate with a key", 3, func() error {
			_, err := s.RotateOnce(t.Context(), guard.Principal{Owner: "ann", TokenID: used}, key, last.ID, nil, nil)
			return err
		}},
		{"repeat of a rotation", 4, func() error {
			made, err := s.RotateOnce(t.Context(), guard.Principal{Owner: "ann", TokenID: used}, key, last.ID, nil, nil)
			if err == nil && !made.Replayed {
				t.Error("the repeat of a rotation made a new secret")
			}
			return err
		}},
		{"get at an instant", 3, func() error { _, err := s.GetAt(t.Context(), ann, last.ID, last.CreatedAt); return err }},
		{"authorize", 1, func() error { _, _, err := s.store.Token(t.Context(), last.ID); return err }},
		{"list of one owner", 4, func() error {
			page, err := s.List(t.Context(), ann, issuer.ListQuery{Owners: []string{"ann"}, Limit: 100})
			if err == nil && len(page.Tokens) != tokenLimit {
				t.Errorf("got %d tokens, want %d", len(page.Tokens), tokenLimit)
			}
			return err
		}},
		{"list of one owner in all states", 4, func() error {
			page, err := s.List(t.Context(), ann, issuer.ListQuery{Owners: []string{"ann"}, States: []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}})
			if err == nil && len(page.Tokens) != tokenLimit {
				t.Errorf("got %d tokens, want %d", len(page.Tokens), tokenLimit)
			}
			return err
		}},
		{"list of one owner's revoked tokens", 1, func() error {
			_, err := s.List(t.Context(), ann, issuer.ListQuery{Owners: []string{"ann"}, States: []events.TokenState{events.StateRevoked}})
			return err
		}},
	} {
		before := m.units
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		t.Logf("%s: %v read units", step.what, m.units-before)
		if m.units == before || m.units-before > step.most {
			t.Errorf("%s: got %v read units, want at most %v and more than none", step.what, m.units-before, step.most)
		}
	}
}
