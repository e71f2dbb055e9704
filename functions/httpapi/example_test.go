package httpapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
)

// The administrator makes a token for ann, ann uses it, and the administrator
// revokes it. A refused call returns a *Problem with a code for programs.
func ExampleClient() {
	ctx := context.Background()
	url, adminToken, stop := startService()
	defer stop()

	admin := httpapi.NewClient(url, adminToken, nil)
	created, err := admin.Create(ctx, httpapi.CreateRequest{User: &name.Identity{Name: "ann"}, Name: "laptop", ExpiresIn: "90D"})
	if err != nil {
		panic(err)
	}
	fmt.Println("created", created.Name, created.BearerToken) // a secret prints as redacted

	ann := httpapi.NewClient(url, created.BearerToken, nil)
	self, err := ann.WhoAmI(ctx)
	fmt.Println("acts for", self.Name, err)

	if err := admin.Revoke(ctx, created.ID); err != nil {
		panic(err)
	}
	_, err = ann.WhoAmI(ctx)
	if problem, ok := errors.AsType[*httpapi.Problem](err); ok {
		fmt.Println("refused:", problem.Status, problem.Code)
	}
	// Output:
	// created laptop [redacted]
	// acts for ann <nil>
	// refused: 401 token_revoked
}

// startService starts the service on an embedded store in a new folder, and
// returns its address and the first administrator's token.
func startService() (url string, adminToken secret.Secret, stop func()) {
	dir := must(os.MkdirTemp("", "apitoken"))
	store := must(bolt.Open(filepath.Join(dir, "apitoken.db"), bolt.Options{}))
	keys := must(events.ParseKeys("k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))))
	i := issuer.New(issuer.Config{Store: store, Keys: keys})
	_, adminToken, err := i.Bootstrap(context.Background(), "admin", false)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(machine.New(machine.Config{Issuer: i, Guard: i.Guard(), Deployment: store.Deployment(), Logger: slog.New(slog.DiscardHandler)}, httpapi.Face()))
	return server.URL, adminToken, func() {
		server.Close()
		store.Close()
		os.RemoveAll(dir)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
