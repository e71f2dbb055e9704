// Command authorize is the Lambda function that API Gateway asks whether a call
// may pass: the custom authorizer of REST APIs (TOKEN and REQUEST) and of HTTP
// APIs (formats 1.0 and 2.0), for this service and for any other API.
//
// It answers 401 where nobody was authenticated, 403 where somebody was whose
// token does not reach so far, and fails where it cannot tell, which must never
// look like a refusal. Whom it let through it tells the handlers behind in its
// context: owner, token_id, scopes, expires_at and source_ips, never the token.
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
		g := guard.New(guard.Config{Views: f.Store, Uses: f.Store, Keys: f.Keys, Logger: f.Log})
		return &authorizer{guard: g, form: gateway.Form(f.Answer), log: f.Log, now: time.Now}, nil
	})
}
