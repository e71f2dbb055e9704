package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// service is the service that is examined.
type service struct {
	name string // the address as the user gave it
	base string // the address of the calls
	http *http.Client
}

// seen notes what the client does not return: the headers of an answer, its TLS
// connection, and when the request was sent and answered.
type seen struct {
	transport      http.RoundTripper
	sent, answered time.Time
	header         http.Header
	tls            *tls.ConnectionState
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.sent = time.Now()
	res, err := s.transport.RoundTrip(r)
	s.answered = time.Now()
	if err == nil {
		s.header, s.tls = res.Header, res.TLS
	}
	return res, err
}

// soon is the time in which a certificate should be renewed.
const soon = 14 * 24 * time.Hour

// service asks for the version, which needs no token, and reports whether this
// service has answered.
func (r *report) service(ctx context.Context, s *service) bool {
	note := &seen{transport: s.http.Transport}
	hc := *s.http
	hc.Transport = note
	version, err := httpapi.NewClient(s.base, secret.Secret{}, &hc).Version(ctx)
	if p, foreign := access.Foreign(err); foreign {
		r.problem("service", fmt.Sprintf("%s answers with status %d, but it is not this service", s.name, p.Status), foreignNext(p))
		return false
	}
	if err != nil {
		r.problem("service", s.name+": "+plainError(err), access.Hint(err))
		return false
	}
	if version.Version == "" {
		r.problem("service", s.name+" answers, but it is not this service", "check the address and the port")
		return false
	}
	r.ok("service", "%s answers, version %s", s.name, version.Version)
	r.encryption(s, note.tls)
	r.clock(note)
	return true
}

func foreignNext(p *httpapi.Problem) string {
	if p.Status == http.StatusBadRequest {
		return "check the address and the port; if the port speaks https, begin the address with https://"
	}
	return "check the address and the port; on AWS the address has the stage at its end"
}

// encryption says whether the connection is encrypted, and until when its certificate
// is valid.
func (r *report) encryption(s *service, state *tls.ConnectionState) {
	if s.name != s.base {
		r.ok("encryption", "none: a Unix socket stays on this machine")
		return
	}
	if state == nil || len(state.PeerCertificates) == 0 {
		r.ok("encryption", "none: plain http")
		return
	}
	end := state.PeerCertificates[0].NotAfter.UTC()
	text := fmt.Sprintf("%s, the certificate is verified and valid until %s", tls.VersionName(state.Version), end.Format(time.RFC3339))
	if time.Until(end) < soon {
		r.warning("encryption", text, "renew the certificate of the service")
		return
	}
	r.ok("encryption", "%s", text)
}

const (
	smallSkew = 5 * time.Second
	largeSkew = 5 * time.Minute // AWS refuses signed requests beyond it
)

// clock compares the clock of this machine with the header Date of an answer. The
// header has whole seconds, so half a second is added.
func (r *report) clock(note *seen) {
	date, err := http.ParseTime(note.header.Get("Date"))
	if err != nil {
		r.warning("clock", "the answer has no valid header Date, so the clocks were not compared", "")
		return
	}
	middle := note.sent.Add(note.answered.Sub(note.sent) / 2)
	skew := middle.Sub(date.Add(time.Second / 2)).Round(time.Second)
	text := fmt.Sprintf("this machine and the service differ by %s", skew.Abs())
	next := "set the clock of this machine (" + middle.UTC().Format(time.RFC3339) + "), or that of the service (" + date.UTC().Format(time.RFC3339) + ")"
	switch {
	case skew.Abs() > largeSkew:
		r.problem("clock", text+"; the service decides by its own clock when tokens expire, certificates may not verify, and AWS refuses signed requests beyond 5 minutes", next)
	case skew.Abs() > smallSkew:
		r.warning("clock", text, next)
	default:
		r.ok("clock", "%s", text)
	}
}
