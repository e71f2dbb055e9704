// Package api builds the Lambda functions that answer HTTP calls. All of them
// have the same HTTP interface, and each answers only the routes of its function.
// Package httpapi has the routes, package gateway the format of the payloads.
package api

import (
	"context"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring"
)

// Run is the main of a function that answers HTTP calls: the routes of
// httpapi.Routes that have the name of the function.
func Run(function string) {
	wiring.RunJob(jobOf(function, faces.Routes()), func(f wiring.Function) (lambda.Handler, error) { return serve(f, function), nil })
}

// RunWithIdentities is Run for a function whose calls open sessions. identities reads the
// issuers from the environment.
func RunWithIdentities(function string, identities func(getenv func(string) string) (machine.Identities, error)) {
	wiring.RunJob(jobOf(function, faces.Routes()), func(f wiring.Function) (lambda.Handler, error) {
		ids, err := identities(f.Getenv)
		if err != nil {
			return nil, err
		}
		return serveWith(f, function, ids), nil
	})
}

// serve returns the handler of a function whose calls open no sessions.
func serve(f wiring.Function, function string) lambda.Handler { return serveWith(f, function, nil) }

// serveWith returns the handler of one function. A function without peppers verifies
// no token, so it gets neither guard nor issuer.
func serveWith(f wiring.Function, function string, ids machine.Identities) lambda.Handler {
	job := jobOf(function, faces.Routes())
	if job.Need()&wiring.Peppers == 0 {
		return serveOpen(f, function)
	}
	trust := !job.Direct && !f.AuthorizeInHandler
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Prefix: f.Prefix, Logger: f.Log})
	return gateway.New(gateway.Config{TrustAuthorizer: trust, ValidOwner: name.ValidOwner, Handler: machine.New(machine.Config{
		Issuer: i, Guard: i.Guard(), Logger: f.Log, Version: version(), Deployment: f.Deployment, PublicURL: f.PublicURL, Only: []string{function}, TrustPrincipal: trust,
		Identities: ids, Keys: f.Keys,
	}, faces.All()...)})
}

// serveOpen returns the handler of a function that needs no credential.
func serveOpen(f wiring.Function, function string) lambda.Handler {
	return gateway.New(gateway.Config{Handler: machine.New(machine.Config{
		Logger: f.Log, Version: version(), PublicURL: f.PublicURL, Only: []string{function}, TrustPrincipal: true, Ready: ready(f.Store),
	}, faces.All()...)})
}

// ready returns a check whether the table answers.
func ready(log events.Log) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := log.Head(ctx, events.SettingsStream)
		return err
	}
}

// version returns the release of this binary, as the Go tool stored it there.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
