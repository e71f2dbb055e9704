package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/signin"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

type login struct {
	access.SignIn
	issuer, user      string
	device, noBrowser bool
	scopes            []string
}

func newLogin(e *console.Env) *cobra.Command {
	var o login
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in, and use the session in place of a token",
		Long: `Sign in, and use the session in place of a token. It opens your browser at the
issuer (OpenID Connect) that the service accepts, and takes the answer at a free
port of 127.0.0.1. With --device you sign in on any other device, with a code.
With --user it asks for a password, if the service has passwords; without a
terminal it reads the password from standard input.

A session ends after 12 hours at most. It is in a file with mode 0600 in
$XDG_CONFIG_HOME/apitoken (default ~/.config/apitoken) and is never printed. Its
context becomes the current one, so the next commands use it. A sign-in into the
same context ends the session before. apitoken logout ends the session.`,
		Example: `  apitoken login --url https://tokens.example.com
  apitoken login --user ann --context local
  apitoken login --issuer corp --device`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed) },
	}
	f := c.Flags()
	f.StringVar(&o.issuer, "issuer", "", "the alias of the issuer (default: the only one)")
	f.BoolVar(&o.device, "device", false, "sign in on any other device, with a code")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser; print the address")
	f.StringSliceVar(&o.scopes, "scope", []string{"profile"}, "a scope to ask the issuer for beside openid, repeatable; some issuers give groups only with one")
	f.StringVar(&o.user, "user", "", "sign in as this user with a password, which is read from the terminal or from standard input")
	for _, other := range []string{"issuer", "device", "no-browser", "scope"} {
		c.MarkFlagsMutuallyExclusive("user", other)
	}
	c.MarkFlagsMutuallyExclusive("device", "no-browser")
	o.SignIn.Add(c)
	return c
}

// run signs in. All that can fail without the service fails before the sign-in.
func (o *login) run(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	for _, flag := range []struct{ name, value string }{{"issuer", o.issuer}, {"user", o.user}} {
		if given(flag.name) && flag.value == "" {
			return console.Usagef("--%s is empty; give a value, or leave the flag out", flag.name)
		}
	}
	place, err := o.Place(e, given)
	if err != nil {
		return err
	}
	client, err := place.Client(e, secret.Secret{})
	if err != nil {
		return err
	}
	session, until, err := o.signIn(ctx, e, place, client)
	if err != nil {
		return err
	}
	return o.finish(ctx, e, place, session, until)
}

// signIn returns the text of the session and its end.
func (o *login) signIn(ctx context.Context, e *console.Env, place access.Place, client *httpapi.Client) (session secret.Secret, until time.Time, err error) {
	if o.user != "" {
		return o.byPassword(ctx, e, place, client)
	}
	issuer, err := o.chooseIssuer(ctx, client)
	if err == nil {
		err = place.Prepare()
	}
	if err != nil {
		return session, until, err
	}
	idToken, err := o.identify(ctx, e, place, issuer)
	if err != nil {
		return session, until, err
	}
	got, err := client.ExchangeIDToken(ctx, idToken)
	if err != nil {
		return session, until, unknownSession(err)
	}
	return checkSession(got.AccessToken, time.Now().Add(time.Duration(got.ExpiresIn)*time.Second))
}

func (o *login) byPassword(ctx context.Context, e *console.Env, place access.Place, client *httpapi.Client) (session secret.Secret, until time.Time, err error) {
	password, err := access.Password(ctx, e, o.user)
	if err == nil {
		err = place.Prepare()
	}
	if err != nil {
		return session, until, err
	}
	got, err := client.LogIn(ctx, httpapi.LoginRequest{Username: o.user, Password: password})
	if err != nil {
		return session, until, unknownSession(err)
	}
	return checkSession(got.BearerToken, got.ExpirationTime.Time)
}

// checkSession refuses an answer of another service, whose text would be stored.
func checkSession(session secret.Secret, until time.Time) (secret.Secret, time.Time, error) {
	if _, err := secret.Parse(session.Reveal()); err != nil {
		return secret.Secret{}, until, errors.New("the answer has no session; check the address of the service")
	}
	return session, until, nil
}

// unknownSession is the error of a sign-in without an answer.
func unknownSession(err error) error {
	if access.ChangedNothing(err) {
		return access.Explain(err)
	}
	return &console.UnknownOutcomeError{Err: access.Explain(err), Hint: "a session may have been opened; its secret was not received, and the session ends by itself"}
}

// chooseIssuer asks the service for its issuers.
func (o *login) chooseIssuer(ctx context.Context, client *httpapi.Client) (found httpapi.SignInIssuer, err error) {
	ways, err := client.SignInWays(ctx)
	if err != nil {
		return found, access.Explain(err)
	}
	var aliases []string
	for _, i := range ways.Issuers {
		if aliases = append(aliases, i.Alias); i.Alias == o.issuer {
			found = i
		}
	}
	known := console.Plain(strings.Join(aliases, ", "))
	switch {
	case len(aliases) == 0 && ways.Password:
		return found, console.Usagef("the service has no issuer; give --user NAME to sign in with a password")
	case len(aliases) == 0:
		return found, errors.New("sign-in is not possible at this service: it has neither an issuer nor passwords; use a token")
	case o.issuer == "" && len(aliases) > 1:
		return found, console.Usagef("the service has more than one issuer; give one with --issuer: %s", known)
	case o.issuer == "":
		found = ways.Issuers[0]
	case found.Alias == "":
		return found, console.Usagef("the service has no issuer with this alias; --issuer may be: %s", known)
	}
	switch {
	case found.ClientID == "":
		return found, fmt.Errorf("the issuer %s has no client for the command line; the administrator of the service can set its cli_client_id", console.Plain(found.Alias))
	case o.device && !found.Device:
		return found, console.Usagef("the issuer %s has no sign-in for devices; leave out --device", console.Plain(found.Alias))
	}
	return found, nil
}

// identify returns the ID token of the person.
func (o *login) identify(ctx context.Context, e *console.Env, place access.Place, issuer httpapi.SignInIssuer) (secret.Secret, error) {
	transport, err := place.Transport()
	if err != nil {
		return secret.Secret{}, err
	}
	f := signin.Flow{Issuer: issuer.Issuer, ClientID: issuer.ClientID, Scopes: o.scopes, Transport: transport, Say: e.Messagef}
	if o.device {
		return f.Device(ctx)
	}
	if !o.noBrowser && e.Environ != nil {
		f.Browser = signin.Browser(e.Environ())
	}
	return f.Code(ctx)
}

// finish stores the session, and ends the one before in the same context. An interrupt
// does not lose the session.
func (o *login) finish(ctx context.Context, e *console.Env, place access.Place, session secret.Secret, until time.Time) error {
	client, err := place.Client(e, session)
	if err != nil {
		return err
	}
	before, orphan := place.Session(), place.Orphan()
	if err := place.Store(context.WithoutCancel(ctx), e, session); err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if ended := client.RevokeSelf(last); ended != nil {
			return fmt.Errorf("storing the session: %w; the session stays open until %s", err, console.FormatTime(until))
		}
		return fmt.Errorf("storing the session: %w; the session was ended again", err)
	}
	who := ""
	if caller, err := client.WhoAmI(ctx); err == nil {
		who = " as " + caller.Name
	}
	e.Messagef("signed in%s until %s at %s; the session is in %s", who, console.FormatTime(until), place.Context.URL, place.Context.TokenFile)
	e.Messagef("the current context is %s", place.Name)
	if orphan {
		e.Messagef("the file had a session of a context that was removed; that session stays open until its own end, and its service can end it earlier")
	}
	o.endBefore(ctx, e, place, before)
	for _, name := range []string{"APITOKEN_TOKEN", "APITOKEN_TOKEN_FILE", "APITOKEN_CONTEXT"} {
		if value := e.Getenv(name); value != "" && value != place.Name {
			e.Messagef("%s is set, and other commands read it before the current context: unset it to use the session", name)
		}
	}
	return nil
}

// endBefore ends the session that was in the file before. It may have ended already.
func (o *login) endBefore(ctx context.Context, e *console.Env, place access.Place, before secret.Secret) {
	if before.Reveal() == "" {
		return
	}
	client, err := place.Client(e, before)
	if err == nil {
		err = endSession(ctx, client)
	}
	if err != nil {
		e.Messagef("the session before was not ended: %s", access.Explain(err))
	}
}
