// Package api makes the Lambda functions that answer HTTP calls: each is the
// one HTTP interface with the routes of one function.
package api

import (
	"context"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi"
	"apitoken/functions/wiring"
)

// Run is the main of the function that answers the calls of that name, as
// httpapi.Routes has them.
func Run(function string) {
	wiring.RunJob(jobOf(function, httpapi.Routes()), func(f wiring.Function) (lambda.Handler, error) { return serve(f, function), nil })
}

// serve makes the handler of one function. A function that needs no peppers
// verifies nothing, so it gets neither guard nor issuer.
func serve(f wiring.Function, function string) lambda.Handler {
	if jobOf(function, httpapi.Routes()).Need()&wiring.Peppers == 0 {
		return serveOpen(f, function)
	}
	g := guard.New(guard.Config{Views: f.Store, Uses: f.Store, Keys: f.Keys, Logger: f.Log})
	i := issuer.New(issuer.Config{Store: f.Store, Guard: g, Keys: f.Keys, Prefix: f.Prefix})
	return gateway.New(gateway.Config{TrustAuthorizer: !f.AuthorizeInHandler, Handler: httpapi.New(httpapi.Config{
		Issuer: i, Guard: g, Logger: f.Log, Version: version(), Only: []string{function}, TrustPrincipal: !f.AuthorizeInHandler,
	})})
}

func serveOpen(f wiring.Function, function string) lambda.Handler {
	return gateway.New(gateway.Config{Handler: httpapi.New(httpapi.Config{
		Logger: f.Log, Version: version(), Only: []string{function}, TrustPrincipal: true, Ready: ready(f.Store),
	})})
}

// ready says whether the table answers.
func ready(log events.Log) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := log.Head(ctx, events.SettingsStream)
		return err
	}
}

// version is the release that was built, as the Go tool stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
