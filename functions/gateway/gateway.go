package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events/guard"
)

// Config is what a gateway is made of. Handler is required.
type Config struct {
	Handler http.Handler

	// TrustAuthorizer puts the principal that the authorizer's context names
	// into the request's context. Without it that context is ignored, and the
	// handler has to decide for itself.
	TrustAuthorizer bool
}

// Gateway answers proxy payloads with an http.Handler. It is a lambda.Handler.
type Gateway struct {
	handler http.Handler
	trust   bool
}

// New makes a gateway.
func New(c Config) *Gateway { return &Gateway{handler: c.Handler, trust: c.TrustAuthorizer} }

// version is what tells the payloads apart. REST APIs send none.
type version struct {
	Version string `json:"version"`
}

const version2 = "2.0"

// margin is what is left of an invocation's time to answer in. Without it, a
// store that does not answer would end in Lambda's time-out, which leaves
// neither an answer nor a log line of ours.
const margin = 500 * time.Millisecond

// Invoke answers one payload. It fails only on a payload that is none of API
// Gateway's.
func (g *Gateway) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	var v version
	if err := json.Unmarshal(payload, &v); err != nil {
		return nil, fmt.Errorf("reading a proxy payload: %w", err)
	}
	if v.Version == version2 {
		return g.answerHTTP(ctx, payload)
	}
	return g.answerREST(ctx, payload)
}

func (g *Gateway) answerREST(ctx context.Context, payload []byte) ([]byte, error) {
	var in lambdaevents.APIGatewayProxyRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("reading a proxy payload of format 1.0: %w", err)
	}
	r, err := restRequest(g.identify(ctx, in.RequestContext.Authorizer, in.RequestContext.Identity.SourceIP), in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(g.serve(r).rest())
}

func (g *Gateway) answerHTTP(ctx context.Context, payload []byte) ([]byte, error) {
	var in lambdaevents.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("reading a proxy payload of format 2.0: %w", err)
	}
	var context map[string]any
	if a := in.RequestContext.Authorizer; a != nil {
		context = a.Lambda
	}
	r, err := httpRequest(g.identify(ctx, context, in.RequestContext.HTTP.SourceIP), in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(g.serve(r).http())
}

// identify adds the principal that the authorizer saw, if it is to be trusted
// and is whole. Otherwise the handler finds none and refuses.
func (g *Gateway) identify(ctx context.Context, authorizer map[string]any, source string) context.Context {
	if !g.trust {
		return ctx
	}
	p, err := principal(authorizer)
	if err != nil {
		return ctx
	}
	p.Address = address(source)
	return guard.WithPrincipal(ctx, p)
}

func (g *Gateway) serve(r *http.Request) *answer {
	w := &answer{header: http.Header{}, bodiless: r.Method == http.MethodHead}
	g.handler.ServeHTTP(w, r)
	return w
}
