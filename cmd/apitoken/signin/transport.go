package signin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	requestTimeout = 30 * time.Second // for one request to the issuer, with its answer
	maxAnswer      = 1 << 20          // bytes
)

// safe sends nothing over plain http to another machine. It reads each answer whole: the
// libraries do not bound all of them, and do not send all requests with a context.
type safe struct {
	next http.RoundTripper
	flow context.Context // of the sign-in
}

func (s safe) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := checkAddress("the issuer", r.URL.String()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	defer context.AfterFunc(s.flow, cancel)()
	res, err := s.read(r.WithContext(ctx))
	switch {
	case err == nil:
		return res, nil
	case s.flow.Err() != nil:
		return nil, s.flow.Err()
	case ctx.Err() != nil && r.Context().Err() == nil:
		return nil, fmt.Errorf("no answer within %s", requestTimeout)
	}
	return nil, err
}

func (s safe) read(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is too large; allowed: at most %d bytes", maxAnswer)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
