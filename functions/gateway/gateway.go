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

// Config has the parts of a gateway. Handler is required.
type Config struct {
	Handler http.Handler

	// TrustAuthorizer puts the principal of the authorizer's context into the
	// request's context. If it is false, the gateway ignores the authorizer's
	// context, and the handler must check the credential.
	TrustAuthorizer bool

	// ValidOwner refuses a text that is not an owner key. It is required if
	// TrustAuthorizer is true: the gateway refuses a context with such an owner. It
	// is a parameter, because the authorizer links this package and must not link
	// the rules of names.
	ValidOwner func(owner string) error

	Now func() time.Time // default time.Now
}

// Gateway answers proxy payloads with an http.Handler. It is a lambda.Handler.
type Gateway struct {
	handler    http.Handler
	trust      bool
	validOwner func(string) error
	now        func() time.Time
}

// New makes a gateway.
func New(c Config) *Gateway {
	g := &Gateway{handler: c.Handler, trust: c.TrustAuthorizer, validOwner: c.ValidOwner, now: c.Now}
	if g.now == nil {
		g.now = time.Now
	}
	return g
}

// version distinguishes the payloads. REST APIs send no version.
type version struct {
	Version string `json:"version"`
}

const version2 = "2.0"

// margin is the time reserved at the end of an invocation for the answer.
// Without it, a store that does not answer would lead to Lambda's time-out:
// the client would get no answer of ours, and we would write no log line.
const margin = 500 * time.Millisecond

// Invoke answers one payload. It returns an error only for a payload that is
// not from API Gateway.
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
	r, err := restRequest(g.withPrincipal(ctx, in.RequestContext.Authorizer, in.RequestContext.Identity.SourceIP), in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(g.serve(r).restResponse())
}

func (g *Gateway) answerHTTP(ctx context.Context, payload []byte) ([]byte, error) {
	var in lambdaevents.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("reading a proxy payload of format 2.0: %w", err)
	}
	var authorizer map[string]any
	if a := in.RequestContext.Authorizer; a != nil {
		authorizer = a.Lambda
	}
	r, err := httpRequest(g.withPrincipal(ctx, authorizer, in.RequestContext.HTTP.SourceIP), in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(g.serve(r).httpResponse())
}

// withPrincipal adds the principal of the authorizer's context to ctx, if the
// gateway trusts that context, and it is complete, not expired and of a valid
// owner. Otherwise the handler finds no principal and refuses the call.
func (g *Gateway) withPrincipal(ctx context.Context, authorizer map[string]any, source string) context.Context {
	if !g.trust {
		return ctx
	}
	p, err := parsePrincipal(authorizer)
	if err != nil || g.checkPrincipal(p) != nil {
		return ctx
	}
	p.Address = parseAddress(source)
	return guard.WithPrincipal(ctx, p)
}

func (g *Gateway) serve(r *http.Request) *answer {
	w := &answer{header: http.Header{}, bodiless: r.Method == http.MethodHead}
	g.handler.ServeHTTP(w, r)
	return w
}
