package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/functions/gateway"
	"apitoken/functions/wiring/telemetry"
)

// authorizer is the lambda.Handler.
type authorizer struct {
	guard *guard.Guard
	form  gateway.Form
	log   *slog.Logger
	now   func() time.Time
}

// Invoke answers one question.
func (a *authorizer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	began := a.now()
	q, err := gateway.ParseQuestion(ctx, payload)
	if err != nil {
		a.record(ctx, q, "internal", "", began, err)
		return nil, err
	}
	p, err := a.guard.Authorize(q.Request, q.Source)
	denial, denied := errors.AsType[*guard.Denial](err)
	if err != nil && !denied {
		err = fmt.Errorf("authorizing: %w", err)
		a.record(ctx, q, "unavailable", "", began, err)
		return nil, err
	}
	a.record(ctx, q, codeOf(denial), p.TokenID, began, nil)
	return a.verdict(q, p, denial)
}

// verdict tells API Gateway. A policy says by itself that the call asked about
// is out of scope, and must be the same for every call, since it may be cached.
func (a *authorizer) verdict(q gateway.Question, p guard.Principal, denial *guard.Denial) ([]byte, error) {
	switch code := codeOf(denial); {
	case code == ok, code == outOfScope && !q.Simple(a.form):
		return q.Allow(a.form, p)
	case strings.HasPrefix(code, "permission_denied"):
		return q.Deny(a.form)
	}
	return nil, gateway.ErrUnauthorized
}

const (
	ok         = "ok"
	outOfScope = "permission_denied_by_scope"
)

func codeOf(d *guard.Denial) string {
	if d == nil {
		return ok
	}
	return d.Code
}

// record writes the one line of a question. Whoever is refused is told the
// request's id by API Gateway and by nobody else, so the line has it.
func (a *authorizer) record(ctx context.Context, q gateway.Question, code, tokenID string, began time.Time, fault error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("operation", "authorize"), slog.String("code", code), slog.String("token_id", tokenID),
		slog.Duration("duration", a.now().Sub(began)), slog.String("request_id", q.RequestID),
	}
	if fault != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", fault.Error()))
	}
	a.log.LogAttrs(ctx, level, telemetry.Request, attrs...)
}
