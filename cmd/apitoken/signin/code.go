package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"apitoken/events/secret"
)

// personTimeout is the time that the person has in the browser.
const personTimeout = 10 * time.Minute

// ErrLate is the error of a sign-in that the person has not finished in time.
var ErrLate = errors.New("the sign-in was not finished in time; run the command again")

// Code signs a person in with a browser on this machine, and returns the ID token: the
// authorization code with PKCE, and a redirect to a free port of 127.0.0.1 (RFC 8252
// section 7.3).
func (f Flow) Code(ctx context.Context) (secret.Secret, error) {
	ctx = f.client(ctx)
	p, err := f.discover(ctx)
	if err != nil {
		return secret.Secret{}, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return secret.Secret{}, fmt.Errorf("listening for the answer of the browser: %w", err)
	}
	p.config.RedirectURL = "http://" + l.Addr().String() + callbackPath
	nonce, verifier := rand.Text(), oauth2.GenerateVerifier()
	q := question{state: rand.Text(), issuer: f.Issuer, issuerNamesItself: p.NamesItself}
	q.address = p.config.AuthCodeURL(q.state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))
	code, err := q.ask(ctx, l, f.show(q.address))
	if err != nil {
		return secret.Secret{}, err
	}
	answer, err := p.config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("exchanging the code at the issuer %s: %w", f.Issuer, brief(err))
	}
	return p.idToken(ctx, answer, nonce)
}

// show tells the person where to sign in. It opens start, which leads to the address:
// other users of the machine can read the arguments of a browser.
func (f Flow) show(address string) func(start string) {
	return func(start string) {
		if f.Browser != nil {
			if err := f.Browser(start); err == nil {
				f.Say("sign in in the browser that opens; if none opens, go to %s", address)
				return
			}
		}
		f.Say("to sign in, open this address in a browser on this machine: %s", address)
	}
}
