package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
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
		a.logQuestion(ctx, q, "internal", guard.Principal{}, began, err)
		return nil, err
	}
	v := a.guard.Judge(ctx, guard.QuestionOf(q.Request, q.Source))
	if v.Fault != nil {
		err = fmt.Errorf("authorizing: %w", v.Fault)
		a.logQuestion(ctx, q, "unavailable", guard.Principal{TokenID: events.DamagedToken(err)}, began, err)
		return nil, err
	}
	answer, err := a.answer(q, v)
	code := codeOf(v.Denial)
	if err != nil && !errors.Is(err, gateway.ErrUnauthorized) {
		code = "internal"
	}
	a.logQuestion(ctx, q, code, v.Principal, began, err)
	return answer, err
}

// answer translates a verdict into the answer for API Gateway. A call that is out
// of scope gets the same policy as every other call: the policy itself does not
// admit the call. A policy must not depend on the call, because API Gateway may cache it.
func (a *authorizer) answer(q gateway.Question, v guard.Verdict) ([]byte, error) {
	switch {
	case v.Allowed(), v.Denial == guard.OutOfScope && !q.ExpectsSimple(a.form):
		return q.Allow(a.form, v.Principal)
	case gateway.IsForbidden(v.Denial):
		return q.Deny(a.form, v.Denial)
	}
	return nil, gateway.ErrUnauthorized
}

const (
	codeOK         = "ok"
	codeOutOfScope = guard.CodeOutOfScope
)

func codeOf(d *guard.Denial) string {
	if d == nil {
		return codeOK
	}
	return d.Code
}

// logQuestion writes one log line for each question. A refused caller sees only
// API Gateway's request id, so the line contains that id. p is the principal of
// the token if its secret is right, also if the token is refused. answered is the
// error that Lambda gets.
//
// Lambda counts ErrUnauthorized as an error like a crash. The metric Unauthorized
// counts it too, so that an alarm can subtract it.
func (a *authorizer) logQuestion(ctx context.Context, q gateway.Question, code string, p guard.Principal, began time.Time, answered error) {
	level := slog.LevelInfo
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("operation", "authorize"), slog.String("code", code),
		slog.String("token_id", p.TokenID), slog.String("owner", p.Owner))
	attrs = append(attrs, callOf(q)...)
	attrs = append(attrs, slog.Duration("duration", a.now().Sub(began)), slog.String("request_id", q.RequestID))
	switch {
	case errors.Is(answered, gateway.ErrUnauthorized):
		attrs = append(attrs, slog.Any(telemetry.Unauthorized, telemetry.Count(1)))
	case answered != nil:
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", answered))
	}
	a.log.LogAttrs(ctx, level, telemetry.Request, attrs...)
}

// callOf returns the attributes of the call that the question is about, without
// query and without a text that may contain a token.
func callOf(q gateway.Question) []slog.Attr {
	if q.Request == nil {
		return nil // the payload could not be read
	}
	address := ""
	if q.Source.IsValid() {
		address = q.Source.String()
	}
	attrs := []slog.Attr{
		slog.String("address", address), slog.String("user_agent", secret.LogText(q.Request.UserAgent())),
		slog.String("method", secret.LogText(q.Request.Method)), slog.String("route", q.Route),
	}
	if q.Route == "" {
		attrs = append(attrs, slog.String("path", secret.LogPath(q.Request.URL.EscapedPath())))
	}
	return attrs
}
