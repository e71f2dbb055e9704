package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

type rotate struct {
	access.Flags
	id                          oneID
	ifMatch                     ifMatch
	self                        bool
	grace, writeTo, key, output string
}

func newRotate(e *console.Env) *cobra.Command {
	var o rotate
	c := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a token a new secret; the one before works for a while",
		Long: `Give a token a new secret, and print it or write it into a file. No command can
show it again. The id, the name and the expiry of the token stay. The secret
before works until the end of the grace, but manages no tokens.

The ID self is the token that you use. If it has scopes, it needs the scope
POST /v1/auth/access-tokens/self/rotate. Its grace is 5 minutes at least.

--write-to checks the file before the call, and replaces it in one step. It may
be the file from which your own token is read. Until the new token is in the
file, FILE.rotation has the Idempotency-Key of the call. If the command ends
before that, run the same command again: it finishes the same rotation, with
the old secret too, within the grace and 24 hours.`,
		Example: `  apitoken rotate self --write-to "$APITOKEN_TOKEN_FILE"
  apitoken rotate JhxND7ci --grace 7D
  apitoken rotate JhxND7ci --grace 0 --output json`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args, c.Flags().Changed) },
	}
	o.id.add(c)
	f := c.Flags()
	f.BoolVar(&o.self, "self", false, "rotate the token that you use, in place of the argument ID")
	f.StringVar(&o.grace, "grace", "", "how long the secret before works: 0, or a number and a unit, W, D, H, m (minutes) or S, at most 365D (default: a setting of the service)")
	f.StringVar(&o.writeTo, "write-to", "", "write the new token into this file (mode 0600) and do not print it")
	o.ifMatch.add(c)
	f.StringVar(&o.key, "idempotency-key", "", "the key of an earlier rotation without an answer: get its answer (default: a new random key)")
	console.OutputFlag(c, &o.output, "text", "json")
	o.Flags.Add(c)
	return c
}

// run rotates a token. All that can fail without the service fails before the
// call, because after the call the secret before ends.
func (o *rotate) run(ctx context.Context, e *console.Env, args []string, given func(flag string) bool) error {
	id, err := o.check(args, given)
	if err != nil {
		return err
	}
	tags, err := o.ifMatch.header(given("if-match"))
	if err != nil {
		return err
	}
	base, hc, err := o.Endpoint(e)
	if err != nil {
		return err
	}
	acting, err := o.Token(ctx, e)
	if err != nil {
		return err
	}
	expected := id
	if own, err := secret.Parse(acting.Reveal()); err == nil && id == self {
		expected = own.ID
	}
	file, err := o.prepare(e, expected)
	if err != nil {
		return err
	}
	defer file.discard()
	sent := &sentRequests{transport: hc.Transport}
	hc.Transport = sent
	made, err := o.ask(ctx, httpapi.NewClient(base, acting, hc), id, tags)
	if err != nil {
		file.forgetRefused(err, sent.n)
		return o.failed(err)
	}
	if err := checkRotated(made, expected); err != nil {
		return o.failed(err)
	}
	return o.finish(e, file, made)
}

// check checks the flags, and returns the id.
func (o *rotate) check(args []string, given func(flag string) bool) (id string, err error) {
	if err := console.CheckOutput(o.output, "text", "json"); err != nil {
		return "", err
	}
	if o.self {
		args = append(args[:len(args):len(args)], self)
	}
	if id, err = o.id.from(args); err != nil {
		return "", err
	}
	if given("grace") {
		if _, err := token.ParseGrace(o.grace); err != nil {
			return "", console.Usagef("--grace: %s", err)
		}
	}
	if given("idempotency-key") && !validKey.MatchString(o.key) {
		return "", console.Usagef("--idempotency-key has an unknown form; allowed: 16 to 255 letters, digits and hyphens")
	}
	if given("write-to") && o.writeTo == "" {
		return "", console.Usagef("--write-to is empty; give the path of a file")
	}
	if console.WholeToken.MatchString(o.writeTo) {
		return "", console.Usagef("--write-to is a whole token and not the path of a file; your shell's history may now contain the token; revoke the token if others can read that history")
	}
	return id, nil
}

var validKey = regexp.MustCompile(`^[0-9A-Za-z-]{16,255}$`)

// prepare makes the file of the new token ready, and chooses the key.
func (o *rotate) prepare(e *console.Env, id string) (*rotationFile, error) {
	if o.writeTo == "" {
		o.key = cmp.Or(o.key, rand.Text())
		return nil, nil
	}
	file, err := newRotationFile(o.writeTo, id, o.grace, o.key)
	if err != nil {
		return nil, err
	}
	if o.key = file.key; file.again {
		e.Messagef("an earlier run did not finish its rotation of token %s; this run finishes it", id)
	}
	return file, nil
}

func (o *rotate) ask(ctx context.Context, c *httpapi.Client, id, tags string) (httpapi.Created, error) {
	in := httpapi.RotateRequest{Grace: o.grace, IfMatch: tags, Key: o.key}
	if id == self {
		return c.RotateSelf(ctx, in)
	}
	return c.Rotate(ctx, id, in)
}

// checkRotated refuses an answer without a token of this form and this id.
func checkRotated(made httpapi.Created, id string) error {
	if err := access.CheckCreated(made); err != nil {
		return err
	}
	if t, err := secret.Parse(made.BearerToken.Reveal()); err != nil || t.ID != id || made.ID != id {
		return errors.New("the answer is about another token; check the address of the service")
	}
	return nil
}

// finish gives the new token to the user: into the file, or to standard output.
func (o *rotate) finish(e *console.Env, file *rotationFile, made httpapi.Created) error {
	if file != nil {
		if err := file.target.Write(made.BearerToken.Reveal()); err != nil {
			return fmt.Errorf("token %s has a new secret, but %w: %s", made.ID, err, o.again())
		}
		file.forget()
	}
	if err := o.print(e, made); err != nil && file == nil {
		return fmt.Errorf("printing the new secret of token %s: %w: %s", made.ID, err, o.again())
	} else if err != nil {
		return fmt.Errorf("token %s has a new secret, which is in %s, but this was not printed: %w", made.ID, o.writeTo, err)
	}
	e.Messagef("%s; %s", expiryText(made.ExpirationTime, ""), previousText(made.PreviousSecretUntil))
	return nil
}

// previousText is the message about the secret that the rotation has replaced.
func previousText(until httpapi.Time) string {
	if until.IsZero() {
		return "the secret before does not work any more"
	}
	return "the secret before works until " + console.FormatTime(until.Time)
}

func (o *rotate) print(e *console.Env, made httpapi.Created) (err error) {
	switch {
	case o.writeTo != "" && o.output == "json":
		return console.PrintJSON(e.Out, made.Entry)
	case o.writeTo != "":
		_, err = fmt.Fprintf(e.Out, "ApiToken with id: %s has been rotated, the new token is in %s\n", made.ID, console.Plain(o.writeTo))
	case o.output == "json":
		return printCreated(e.Out, made)
	default:
		_, err = fmt.Fprintf(e.Out, "ApiToken with id: %s has been rotated, your token is: %s please keep it safe\n", made.ID, made.BearerToken.Reveal())
	}
	return err
}

// failed builds the error of a call that failed. After a refusal of the service, or
// without a connection, the token is as before.
func (o *rotate) failed(err error) error {
	if access.ChangedNothing(err) {
		return access.Explain(err)
	}
	return &console.UnknownOutcomeError{Err: access.Explain(err), Hint: "the token may have been rotated; " + o.again()}
}

// again says how the user gets the answer of this rotation again.
func (o *rotate) again() string {
	if o.writeTo != "" {
		return "run the same command again: it gets the same secret, within the grace and 24 hours"
	}
	return "run the command again with --idempotency-key " + o.key + ": it gets the same secret, within the grace and 24 hours"
}
