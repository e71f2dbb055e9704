package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"syscall"
	"time"
)

const (
	requestTries = 3
	// retryWait is longer than retryAfter, the wait that a 503 asks for.
	retryWait = 1100 * time.Millisecond
)

// retried sends a request with an Idempotency-Key until it has an answer, at most
// requestTries times. If it never has one, the error is that of the first try that
// may have reached the service: only what notSent reports shows that nothing was done.
func retried[Answer any](ctx context.Context, wait time.Duration, send func() (Answer, error)) (out Answer, err error) {
	var unknown error
	for try := 1; ; try++ {
		out, err = send()
		if err == nil || !mayRetry(err) {
			return out, err
		}
		refused := notSent(err)
		if unknown == nil && !refused {
			unknown = err
		}
		if try == requestTries || unknown == nil || !waited(ctx, wait) {
			return out, cmp.Or(unknown, err)
		}
	}
}

// mayRetry reports whether the request had no answer, or an answer of an outage.
func mayRetry(err error) bool {
	p, answered := errors.AsType[*Problem](err)
	return !answered || p.Retryable && p.Status != http.StatusTooManyRequests
}

// notSent reports whether the request did not leave this machine: no service listens, or the
// service has a certificate that the client does not trust.
func notSent(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted || errors.Is(err, syscall.ECONNREFUSED)
}

// waited reports whether the time has passed before the end of the context.
func waited(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
