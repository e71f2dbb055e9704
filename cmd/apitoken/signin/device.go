package signin

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"apitoken/events/secret"
)

// Device signs a person in with a browser on any device, and returns the ID token: the
// device authorization of RFC 8628. The polling is that of x/oauth2: every 5 seconds, or
// as the issuer asks, and slower after slow_down.
func (f Flow) Device(ctx context.Context) (secret.Secret, error) {
	ctx = f.client(ctx)
	p, err := f.discover(ctx)
	if err != nil {
		return secret.Secret{}, err
	}
	if p.config.Endpoint.DeviceAuthURL == "" {
		return secret.Secret{}, fmt.Errorf("the issuer %s has no sign-in for devices; leave out --device, or use another issuer", f.Issuer)
	}
	verifier := oauth2.GenerateVerifier()
	device, err := p.config.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("asking the issuer %s for a code: %w", f.Issuer, brief(err))
	}
	if device.UserCode == "" || device.DeviceCode == "" {
		return secret.Secret{}, fmt.Errorf("the issuer %s gave no code for a device", f.Issuer)
	}
	if err := checkAddress("the page for the code", device.VerificationURI); err != nil {
		return secret.Secret{}, err
	}
	f.Say("to sign in, open %s on any device and enter the code %s", device.VerificationURI, device.UserCode)
	if complete := device.VerificationURIComplete; complete != "" && checkAddress("the page", complete) == nil {
		f.Say("or open this address, which has the code: %s", complete)
	}
	late, cancel := context.WithTimeout(ctx, personTimeout)
	defer cancel()
	answer, err := p.config.DeviceAccessToken(late, device, oauth2.VerifierOption(verifier))
	switch {
	case ctx.Err() != nil:
		return secret.Secret{}, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return secret.Secret{}, ErrLate
	case err != nil:
		return secret.Secret{}, fmt.Errorf("waiting for the sign-in at the issuer %s: %w", f.Issuer, brief(err))
	}
	return p.idToken(ctx, answer, "")
}
