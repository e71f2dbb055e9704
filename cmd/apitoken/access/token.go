package access

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/setting"
	"apitoken/events/secret"
)

// maxToken is the maximum number of bytes of a token on standard input: more than
// any token has, also in UTF-16.
const maxToken = 4 << 10

// Token returns the caller's token. It refuses a text that does not have the
// form of a token: the text may be another secret and must not be sent.
func (a *Flags) Token(ctx context.Context, e *console.Env) (secret.Secret, error) {
	s, err := a.Source(e)
	if err != nil {
		return secret.Secret{}, err
	}
	text, from, err := s.readToken(ctx, e)
	if err != nil {
		return secret.Secret{}, err
	}
	if _, err := secret.Parse(text); err != nil {
		return secret.Secret{}, fmt.Errorf("%s does not contain a token: a character is missing or wrong, or the text is something else", from)
	}
	return secret.New(text), nil
}

// readToken reads the token of the source. from names the place in errors.
func (s Source) readToken(ctx context.Context, e *console.Env) (text, from string, err error) {
	switch {
	case s.inline != "":
		return s.inline, s.Token.From, nil
	case s.Token.Value == "-":
		text, err = readStdin(ctx, e)
		return text, "standard input", err
	case s.Token.Value != "":
		text, err = s.readTokenFile()
		return text, s.Token.Value, err
	}
	return "", "", console.Usagef("no token is given: set APITOKEN_TOKEN_FILE to a file that contains one (`apitoken serve` writes DIR/admin.token), or set APITOKEN_TOKEN, or give --token-file - and write the token to standard input, or choose a context with `apitoken context use`")
}

// readTokenFile reads the token from a file. The error for a file that other users
// can read names the flag for files that orchestrators mount.
func (s Source) readTokenFile() (string, error) {
	text, err := datadir.ReadToken(s.Token.Value, s.shared)
	open, isOpen := errors.AsType[*datadir.OpenToOthersError](err)
	switch {
	case !isOpen || open.Changeable():
		return text, err
	case s.shared:
		return "", fmt.Errorf("%w. --token-file-shared is only for a file that this user cannot change", err)
	}
	return "", fmt.Errorf("%w; if an orchestrator mounts the file read-only, give --token-file-shared or set APITOKEN_TOKEN_FILE_SHARED=1", err)
}

// readStdin reads the token from standard input. A terminal does not show the
// typed characters.
func readStdin(ctx context.Context, e *console.Env) (string, error) {
	text, err := readInput(ctx, e)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the token from standard input: %w", err)
	case len(text) > maxToken:
		return "", fmt.Errorf("standard input is too long for a token; allowed: at most %d bytes", maxToken)
	}
	value, err := setting.Value(text)
	if err != nil {
		return "", fmt.Errorf("standard input %w", err)
	}
	return value, nil
}

func readInput(ctx context.Context, e *console.Env) (string, error) {
	if !e.Interactive() {
		b, err := io.ReadAll(io.LimitReader(e.In, maxToken+1))
		return string(b), err
	}
	fmt.Fprint(e.Err, "Token: ")
	defer fmt.Fprintln(e.Err)
	return e.ReadTerminal(ctx, func() (string, error) {
		b, err := term.ReadPassword(int(e.In.Fd()))
		return string(b), err
	})
}
