// Package outbound makes the Lambda functions that send messages to the bus. It
// makes the client of the bus from the environment; build makes the handler.
// Other functions must not import this package, so that they do not link the
// client.
package outbound

import (
	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/wiring"
	"apitoken/infra/bridge"
)

// Run is the main of a function that build makes from the bus and the rest.
// function is its name in wiring.Jobs.
func Run(function string, build func(wiring.Function, events.Bus) lambda.Handler) {
	wiring.Run(function, func(f wiring.Function) (lambda.Handler, error) {
		client, err := bridge.FromEnv(f.Getenv)
		if err != nil {
			return nil, err
		}
		return build(f, bridge.New(bridge.Config{Client: client, Bus: f.Bus, Deployment: f.Deployment})), nil
	})
}
