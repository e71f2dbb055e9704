// Command page is the Lambda function of the page on which people manage their tokens
// in a browser. A parameter of the stack switches it on.
//
// It calls the API over HTTPS at its public address, with the session of the person.
// So it has no right at the tables, no pepper, and no right that the person does not
// have.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/gateway"
	"apitoken/functions/httpapi/page"
	"apitoken/functions/wiring/telemetry"
)

func main() {
	log := telemetry.NewLogger(telemetry.Config{Out: os.Stdout, Function: os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), LogGroup: os.Getenv("AWS_LAMBDA_LOG_GROUP_NAME")})
	h, err := handler(os.Getenv, log)
	if err != nil {
		log.LogAttrs(context.Background(), slog.LevelError, "not started", slog.String("error", err.Error())) // there is no event yet
		os.Exit(1)
	}
	lambda.Start(h)
}

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
		API: func(*http.Request) http.RoundTripper { return api }, Base: publicURL, PublicURL: publicURL, Source: source, Logger: log,
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

// source returns the address that API Gateway names.
func source(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
