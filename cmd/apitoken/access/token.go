package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

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
		text, err = s.readTokenFile(e)
		return text, s.Token.Value, err
	}
	return "", "", console.Usagef("no token is given: set APITOKEN_TOKEN_FILE to a file that contains one (`apitoken serve` writes DIR/admin.token), or set APITOKEN_TOKEN, or give --token-file - and write the token to standard input, or choose a context with `apitoken context use`")
}

// readTokenFile reads the token from a file. The error for a file that other users
// can read names the flag for files that orchestrators mount.
func (s Source) readTokenFile(e *console.Env) (string, error) {
	credentials, err := e.EnvPath("CREDENTIALS_DIRECTORY")
	if err != nil {
		return "", err
	}
	text, err := datadir.ReadToken(s.Token.Value, datadir.Mounted{Credentials: credentials, Shared: s.shared})
	if errors.Is(err, fs.ErrNotExist) && s.Context != "" && strings.HasSuffix(s.Token.Value, string(filepath.Separator)+s.Context+sessionSuffix) {
		return "", fmt.Errorf("the context %s has no session: run `apitoken login --context %s`", s.Context, s.Context)
	}
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

// maxPassword is more than a password may have; the service says how many bytes are
// allowed.
const maxPassword = 1 << 10

// Password reads the password of a user: without echo from the terminal, or the first
// line of standard input. It refuses a token, which must not be sent as a password.
func Password(ctx context.Context, e *console.Env, user string) (secret.Secret, error) {
	text, err := readPassword(ctx, e, user)
	line, rest, _ := strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case err != nil:
		return secret.Secret{}, fmt.Errorf("reading the password from standard input: %w", err)
	case len(text) > maxPassword:
		return secret.Secret{}, fmt.Errorf("standard input is too long for a password; allowed: at most %d bytes", maxPassword)
	case strings.TrimSpace(rest) != "":
		return secret.Secret{}, errors.New("standard input has more than one line; allowed: the password alone")
	case line == "":
		return secret.Secret{}, errors.New("standard input has no password")
	case console.WholeToken.MatchString(line):
		return secret.Secret{}, errors.New("standard input has a token and no password; a token needs no sign-in: set APITOKEN_TOKEN_FILE to its file")
	}
	return secret.New(line), nil
}

func readPassword(ctx context.Context, e *console.Env, user string) (string, error) {
	if !e.Interactive() {
		return console.Until(ctx, func() (string, error) {
			b, err := io.ReadAll(io.LimitReader(e.In, maxPassword+1))
			return string(b), err
		})
	}
	fmt.Fprintf(e.Err, "Password of %s: ", console.Plain(user))
	defer fmt.Fprintln(e.Err)
	return e.ReadTerminal(ctx, func() (string, error) {
		b, err := term.ReadPassword(int(e.In.Fd()))
		return string(b), err
	})
}
