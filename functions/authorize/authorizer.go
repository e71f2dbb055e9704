package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/functions/gateway"
	"apitoken/functions/wiring/telemetry"
)

// authorizer is the lambda.Handler of the function.
type authorizer struct {
	guard *guard.Guard
	form  gateway.Form
	log   *slog.Logger
	now   func() time.Time
}

// Invoke answers one question of API Gateway. Its error is either
// gateway.ErrUnauthorized, which is an answer, or a fault.
func (a *authorizer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	began := a.now()
	q, err := gateway.ParseQuestion(ctx, payload)
	if err != nil {
		a.logQuestion(ctx, q, "internal", "", began, err)
		return nil, err
	}
	p, err := a.guard.Authorize(q.Request, q.Source)
	denial, denied := errors.AsType[*guard.Denial](err)
	if err != nil && !denied {
		err = fmt.Errorf("authorizing: %w", err)
		a.logQuestion(ctx, q, "unavailable", events.DamagedToken(err), began, err)
		return nil, err
	}
	a.logQuestion(ctx, q, codeOf(denial), p.TokenID, began, nil)
	return a.verdict(q, p, denial)
}

// verdict returns the answer for API Gateway. A call that is out of scope gets
// the same policy as every other call: the policy itself does not admit the
// call. A policy must not depend on the call, because API Gateway may cache it.
func (a *authorizer) verdict(q gateway.Question, p guard.Principal, denial *guard.Denial) ([]byte, error) {
	switch code := codeOf(denial); {
	case code == codeOK, code == codeOutOfScope && !q.ExpectsSimple(a.form):
		return q.Allow(a.form, p)
	case strings.HasPrefix(code, "permission_denied"):
		return q.Deny(a.form)
	}
	return nil, gateway.ErrUnauthorized
}

const (
	codeOK         = "ok"
	codeOutOfScope = "permission_denied_by_scope"
)

func codeOf(d *guard.Denial) string {
	if d == nil {
		return codeOK
	}
	return d.Code
}

// logQuestion writes one log line for each question. A refused caller sees only
// API Gateway's request id, so the line contains that id.
func (a *authorizer) logQuestion(ctx context.Context, q gateway.Question, code, tokenID string, began time.Time, fault error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("operation", "authorize"), slog.String("code", code), slog.String("token_id", tokenID),
		slog.Duration("duration", a.now().Sub(began)), slog.String("request_id", q.RequestID),
	}
	if fault != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", fault))
	}
	a.log.LogAttrs(ctx, level, telemetry.Request, attrs...)
}
