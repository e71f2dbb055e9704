package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/secret"
)

// maxToken is more than any token has.
const maxToken = 4 << 10

// token is the token to call the service with. What is no token by its form
// goes nowhere: it is likely to be another secret.
func (a *access) token(ctx context.Context, e *env) (secret.Secret, error) {
	text, from, err := a.read(ctx, e)
	if err != nil {
		return secret.Secret{}, err
	}
	if _, err := secret.Parse(text); err != nil {
		return secret.Secret{}, fmt.Errorf("%s holds no token: a character is missing or wrong, or it is something else", from)
	}
	return secret.New(text), nil
}

// read finds the token and names where it came from.
func (a *access) read(ctx context.Context, e *env) (text, from string, err error) {
	path, inline := e.getenv("APITOKEN_TOKEN_FILE"), e.getenv("APITOKEN_TOKEN")
	switch {
	case a.tokenFile == "-":
		text, err = typed(ctx, e)
		return text, "standard input", err
	case a.tokenFile != "":
		text, err = datadir.ReadPrivate(a.tokenFile)
		return text, a.tokenFile, err
	case path != "" && inline != "":
		return "", "", usagef("APITOKEN_TOKEN and APITOKEN_TOKEN_FILE are both set: unset one")
	case path != "":
		text, err = datadir.ReadPrivate(path)
		return text, path, err
	case inline != "":
		return strings.TrimSpace(inline), "APITOKEN_TOKEN", nil
	}
	return "", "", usagef("there is no token to call the service with: set APITOKEN_TOKEN_FILE to a file that holds one (`apitoken serve` writes DIR/admin.token), or set APITOKEN_TOKEN, or give --token-file - and the token on standard input")
}

// typed reads the token from standard input, unseen if that is a terminal.
func typed(ctx context.Context, e *env) (text string, err error) {
	if e.interactive() {
		fmt.Fprint(e.err, "Token: ")
		text, err = e.answer(ctx, func() (string, error) {
			b, err := term.ReadPassword(int(e.in.Fd()))
			return string(b), err
		})
		fmt.Fprintln(e.err)
	} else {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(e.in, maxToken))
		text = string(b)
	}
	if err != nil {
		return "", fmt.Errorf("reading the token from standard input: %w", err)
	}
	return strings.TrimSpace(text), nil
}
