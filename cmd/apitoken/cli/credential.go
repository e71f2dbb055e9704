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

// maxToken is the number of bytes that are read as a token: more than any token
// has.
const maxToken = 4 << 10

// token returns the caller's token. It refuses a text that does not have the
// form of a token: the text may be another secret and must not be sent.
func (a *access) token(ctx context.Context, e *env) (secret.Secret, error) {
	text, from, err := a.readToken(ctx, e)
	if err != nil {
		return secret.Secret{}, err
	}
	if _, err := secret.Parse(text); err != nil {
		return secret.Secret{}, fmt.Errorf("%s does not contain a token: a character is missing or wrong, or the text is something else", from)
	}
	return secret.New(text), nil
}

// readToken reads the token from the first source that is given: --token-file,
// then one of the two variables. from names the source in errors.
func (a *access) readToken(ctx context.Context, e *env) (text, from string, err error) {
	path, inline := e.getenv("APITOKEN_TOKEN_FILE"), e.getenv("APITOKEN_TOKEN")
	switch {
	case a.tokenFile == "-":
		text, err = readStdin(ctx, e)
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
	return "", "", usagef("no token is given: set APITOKEN_TOKEN_FILE to a file that contains one (`apitoken serve` writes DIR/admin.token), or set APITOKEN_TOKEN, or give --token-file - and write the token to standard input")
}

// readStdin reads the token from standard input. A terminal does not show the
// typed characters.
func readStdin(ctx context.Context, e *env) (text string, err error) {
	if e.interactive() {
		fmt.Fprint(e.err, "Token: ")
		text, err = e.readTerminal(ctx, func() (string, error) {
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
