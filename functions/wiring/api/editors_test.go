package api

import (
	"errors"
	"sync"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/infra/dynamo"
	"apitoken/localstack/engines"
)

// TestTwoHoldersOfEditWhoRemoveEachOtherOnDynamoDB: one of them fails at least, and
// one can still change the settings. Each has an issuer of its own, as two functions
// have.
func TestTwoHoldersOfEditWhoRemoveEachOtherOnDynamoDB(t *testing.T) {
	root := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	for name, remove := range map[string]func(i *issuer.Issuer, by guard.Principal, user string) error{
		"permissions": func(i *issuer.Issuer, by guard.Principal, user string) error {
			_, err := i.SetPermissions(t.Context(), by, user, nil)
			return err
		},
		"suspension": func(i *issuer.Issuer, by guard.Principal, user string) error {
			_, err := i.Suspend(t.Context(), by, user, "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				s := newRoleScene(t, root, "settings")
				if _, err := s.issuer.SetPermissions(t.Context(), guard.Principal{Owner: admin}, other, settings.Actions()); err != nil {
					t.Fatal(err)
				}
				errs := make([]error, 2)
				var both sync.WaitGroup
				for n, by := range []string{admin, other} {
					i := issuer.New(issuer.Config{Store: dynamo.New(s.Root, s.Table), Keys: storetest.Keys})
					both.Go(func() { errs[n] = remove(i, guard.Principal{Owner: by}, []string{other, admin}[n]) })
				}
				both.Wait()
				if refusals(errs) == 0 || s.editors() == 0 {
					t.Fatalf("got %v, and %d who may edit", errs, s.editors())
				}
			}
		})
	}
}

func refusals(errs []error) (n int) {
	for _, err := range errs {
		if _, refused := errors.AsType[*events.Refusal](err); refused {
			n++
		}
	}
	return n
}

// editors counts the users who hold edit and are not suspended.
func (s *roleScene) editors() (n int) {
	s.Helper()
	ctx := s.Context()
	for _, user := range []string{admin, other} {
		own := guard.Principal{Owner: user}
		actions, err := s.issuer.Permissions(ctx, own, user)
		account, aerr := s.issuer.Account(ctx, own, user)
		if err := errors.Join(err, aerr); err != nil {
			s.Fatal(err)
		}
		if len(actions) > 0 && !account.Suspended {
			n++
		}
	}
	return n
}
