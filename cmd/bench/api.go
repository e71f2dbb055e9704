package main

import (
	"io"
	"log/slog"
	"net/http"

	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
)

// api is the whole service on the store. It makes its log lines and drops them.
func (f folder) api(store *bolt.Store) (http.Handler, *issuer.Issuer) {
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	i := issuer.New(issuer.Config{Store: store, Keys: f.keys, Logger: logger})
	return machine.New(machine.Config{Issuer: i, Guard: i.Guard(), Logger: logger, Version: "bench", Deployment: "bench"}, httpapi.Face()), i
}
