// Command page is the Lambda function of the page on which people manage their tokens
// in a browser. A parameter of the stack switches it on.
//
// It calls the API over HTTPS at its public address, with the session of the person.
// So it has no right at the tables, no pepper, and no right that the person does not
// have.
package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/page"
	"apitoken/functions/wiring/telemetry"
)

func main() { telemetry.Start(handler) }

// handler reads the environment: PUBLIC_URL, the address of the API.
func handler(getenv func(string) string, log *slog.Logger) (lambda.Handler, error) {
	publicURL, err := events.PublicURL(getenv("PUBLIC_URL"))
	if err != nil {
		return nil, fmt.Errorf("PUBLIC_URL: %w", err)
	}
	return telemetry.Observe(gateway.New(gateway.Config{Handler: newPage(publicURL, transport(), log)})), nil
}

func newPage(publicURL string, api http.RoundTripper, log *slog.Logger) http.Handler {
	return page.New(page.Config{
		API: func(*http.Request) http.RoundTripper { return api }, Base: publicURL, PublicURL: publicURL, Source: machine.RemoteAddr, Logger: log,
	})
}

// transport has no proxy: the API is the service itself. The context of each call ends
// before the invocation does.
func transport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, TLSHandshakeTimeout: 2 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}
}
