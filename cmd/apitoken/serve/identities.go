package serve

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/identity"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/oidc"
)

const (
	issuersFlag = "--oidc-issuers"
	secretsFlag = "--oidc-secrets"
)

// identities are the issuers of the files that were last read without an error. They ask
// no issuer before somebody signs in: the service starts also if one of them is down.
type identities struct {
	load    func() (*issuers, error)
	logger  *slog.Logger
	current atomic.Pointer[issuers]

	problem string // of the last look; a problem that stays is logged once
}

var _ machine.Identities = (*identities)(nil)

// issuers are the content of both files.
type issuers struct {
	*oidc.Providers
	aliases []string
	digest  [sha256.Size]byte // of the texts
}

// identitiesOf reads the issuers and their secrets for the first time. It returns nil
// without the flags.
func identitiesOf(c Config) (*identities, error) {
	if c.OIDCIssuers == "" {
		if c.OIDCSecrets != "" {
			return nil, fmt.Errorf("%s has no effect without %s: give both flags, or remove this one", secretsFlag, issuersFlag)
		}
		return nil, nil
	}
	for flag, path := range map[string]string{issuersFlag: c.OIDCIssuers, secretsFlag: c.OIDCSecrets} {
		if strings.HasPrefix(strings.TrimSpace(path), "{") || strings.HasPrefix(strings.TrimSpace(path), "[") {
			return nil, fmt.Errorf("%s is JSON text; it must be the path of a file with this text", flag) // an error about a path would repeat the secret
		}
	}
	i := &identities{load: func() (*issuers, error) { return loadIssuers(c) }, logger: c.Logger}
	first, err := i.load()
	if err != nil {
		return nil, err
	}
	i.current.Store(first)
	return i, nil
}

// loadIssuers reads both files. Who can change the file of issuers can sign in as anybody,
// so it is read like a secret, except that others may read it if this user cannot change
// it, and no other user may own or replace it.
func loadIssuers(c Config) (*issuers, error) {
	text, err := datadir.ReadMounted(c.OIDCIssuers, datadir.Mounted{Credentials: c.Credentials, Shared: true, Guarded: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", issuersFlag, err)
	}
	secrets := ""
	if c.OIDCSecrets != "" {
		if secrets, err = datadir.ReadMounted(c.OIDCSecrets, datadir.Mounted{Credentials: c.Credentials}); err != nil {
			return nil, fmt.Errorf("%s: %w", secretsFlag, err)
		}
	}
	list, err := oidc.Parse(text, secrets)
	if err != nil {
		return nil, fmt.Errorf("reading %s and %s: %w", issuersFlag, secretsFlag, err)
	}
	read := &issuers{digest: sha256.Sum256([]byte(text + "\x00" + secrets))}
	for _, i := range list {
		if i.ClientID != "" && c.PublicURL == "" {
			return nil, fmt.Errorf("the issuer %q of %s has a client_id, so browsers sign in there and come back to this service: give its address with --public-url, or remove client_id", i.Alias, issuersFlag)
		}
		read.aliases = append(read.aliases, i.Alias)
	}
	read.Providers = oidc.New(oidc.Config{Issuers: list})
	return read, nil
}

// Reload reads both files again. After an error in one of them the issuers and secrets
// before stay in use. If somebody asked for it, each outcome is logged. Only one call at a
// time is allowed. The sessions of an issuer that is no longer there stay open.
func (i *identities) Reload(ctx context.Context, asked bool) {
	next, err := i.load()
	if err != nil {
		if asked || err.Error() != i.problem {
			i.logger.ErrorContext(ctx, "the new issuers and secrets cannot be used; the ones before stay in use", "error", err)
		}
		i.problem = err.Error()
		return
	}
	i.problem = ""
	switch changed := next.digest != i.current.Load().digest; {
	case changed:
		i.current.Store(next)
		i.logger.InfoContext(ctx, "the new issuers and secrets are in use", "issuers", next.aliases)
	case asked: // the issuers in use keep their cached keys
		i.logger.InfoContext(ctx, "the issuers and secrets were read again and are the same", "issuers", next.aliases)
	}
}

// Verify implements machine.Identities.
func (i *identities) Verify(ctx context.Context, jwt secret.Secret, idToken bool) (identity.Identity, error) {
	return i.current.Load().Verify(ctx, jwt, idToken)
}

// Begin implements machine.Identities.
func (i *identities) Begin(ctx context.Context, alias, redirect string) (identity.Attempt, string, error) {
	return i.current.Load().Begin(ctx, alias, redirect)
}

// Finish implements machine.Identities. The sign-in may have begun before the last Reload.
func (i *identities) Finish(ctx context.Context, a identity.Attempt, redirect string, answer url.Values) (identity.Identity, error) {
	return i.current.Load().Finish(ctx, a, redirect, answer)
}

// Issuers implements machine.Identities.
func (i *identities) Issuers() []identity.Issuer { return i.current.Load().Issuers() }
