// Command authorize is the Lambda function that tells API Gateway whether a call
// may pass. It is the custom authorizer of REST APIs (TOKEN and REQUEST) and of
// HTTP APIs (formats 1.0 and 2.0), for this service and for any other API.
//
// It answers 401 if the credential is missing or refused. It answers 403 if the
// token is valid but may not make the call. If it cannot decide, it fails: a
// fault must never look like a denial. For an allowed request it passes the
// members of gateway.Context to the handlers, in the authorizer's context, but
// never the token.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/guard"
	"apitoken/functions/gateway"
	"apitoken/functions/wiring"
)

func main() {
	wiring.Run("authorize", func(f wiring.Function) (lambda.Handler, error) {
		g := guard.New(guard.Config{Views: f.Store, Uses: f.Store, Notices: f.Store, Keys: f.Keys, Logger: f.Log})
		return &authorizer{guard: g, form: gateway.Form(f.Answer), log: f.Log, now: time.Now}, nil
	})
}
