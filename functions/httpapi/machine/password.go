package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/secret"
)

// Passwords knows the passwords of users.
type Passwords interface {
	// Check returns nil if the password is that of the user, and ErrPassword if not. The
	// user is an owner key, or "" for a name that no user has. A wrong password takes the
	// same time for every user. A refusal with CodePasswordFailures says that too many
	// passwords from this address were wrong. Every other error is a fault. No error has
	// the password or the name.
	Check(ctx context.Context, user string, password secret.Secret, from netip.Addr) error
}

// ErrPassword is the error of a password that is not that of the user, also if there is
// no such user.
var ErrPassword = errors.New("the user name or the password is wrong")

// The codes of refused passwords.
const (
	CodePassword         = "password_invalid"
	CodePasswordFailures = "password_failures_exceeded"
)

const (
	// passwordSession is how long a session lives that was opened with a password, as
	// Qumulo documents for its login.
	passwordSession = 10 * time.Hour

	// maxPassword is the largest number of bytes that bcrypt reads.
	maxPassword = 72
)

// SignIn is a user name and a password, as a client sends them.
type SignIn struct {
	Username string
	Password secret.Secret
	UI       bool // at the page
}

// LogIn reads a user name and a password, and the members more, and opens a session of the
// user. A service without passwords refuses every login with this detail, and does not read
// the body.
func (x *Exchange) LogIn(withoutPasswords string, in *SignIn, more ...Member) (issuer.Token, secret.Secret, error) {
	if x.Config.Passwords == nil {
		return issuer.Token{}, secret.Secret{}, NewProblem(guard.CodePassword, withoutPasswords)
	}
	members := []Member{
		Value("username", "a string: the name of a user", &in.Username),
		Value("password", "a string: the password of the user", &in.Password),
	}
	if err := x.Decode(append(members, more...)...); err != nil {
		return issuer.Token{}, secret.Secret{}, err
	}
	return x.openSession(*in)
}

func (x *Exchange) openSession(in SignIn) (issuer.Token, secret.Secret, error) {
	if err := cmp.Or(x.fromOtherSite(), in.check()); err != nil {
		return issuer.Token{}, secret.Secret{}, err
	}
	user, err := name.OwnerKey(in.Username)
	if err != nil {
		user = "" // no user has such a name; the answer is that for an unknown user
	}
	err = x.Config.Passwords.Check(x.Request.Context(), user, in.Password, x.address)
	if errors.Is(err, ErrPassword) {
		return issuer.Token{}, secret.Secret{}, NewProblem(CodePassword, "The user name or the password is wrong.")
	}
	if err != nil {
		return issuer.Token{}, secret.Secret{}, fmt.Errorf("checking a password: %w", err)
	}
	made, text, err := x.Config.Issuer.OpenSession(x.Request.Context(), issuer.SignIn{
		Owner: user, Via: guard.ViaPassword, Until: x.Config.Now().Add(passwordSession), Address: x.address, UI: in.UI,
	})
	if err != nil {
		return issuer.Token{}, secret.Secret{}, fmt.Errorf("opening a session: %w", err)
	}
	x.Principal = guard.Principal{Owner: made.Owner, TokenID: made.ID} // for the log line
	return made, text, nil
}

// fromOtherSite refuses a request that a page of another site has sent. Such a page could
// use up the failures of its visitor's address.
func (x *Exchange) fromOtherSite() error {
	if new(http.CrossOriginProtection).Check(x.Request) != nil {
		return FieldProblem("invalid_header", "Origin", "is that of a page of another site, which may not sign in")
	}
	return nil
}

// check refuses what cannot be a user name and a password, before anything is compared.
// A token in one of the members is no password, also if it is mistyped.
func (in SignIn) check() error {
	password := in.Password.Reveal()
	_, parsed := secret.Parse(password)
	switch {
	case in.Username == "":
		return FieldProblem("invalid_field", "username", "is missing; give the name of a user")
	case secret.WithinEscaped(in.Username):
		return FieldProblem("invalid_field", "username", "contains a token; give the name of a user, and send a token in the header Authorization: Bearer TOKEN")
	case password == "":
		return FieldProblem("invalid_field", "password", "is missing; give the password of the user")
	case secret.WithinEscaped(password) || errors.Is(parsed, secret.ErrChecksum):
		return FieldProblem("invalid_field", "password", "contains a token and not the password of a user; send a token in the header Authorization: Bearer TOKEN, without a sign-in")
	case len(password) > maxPassword:
		return FieldProblem("invalid_field", "password", fmt.Sprintf("has %d bytes; at most %d are allowed", len(password), maxPassword))
	case strings.ContainsRune(password, 0):
		return FieldProblem("invalid_field", "password", "contains the character U+0000, which is not allowed")
	}
	return nil
}
