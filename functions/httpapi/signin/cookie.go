package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/identity"
	"apitoken/events/secret"
)

// The names of the cookies. With the prefix __Host- a browser takes them only from this
// host, with TLS, and for all paths (RFC 6265bis section 4.1.3).
const (
	SessionCookie = "__Host-apitoken"       // the token of the session
	attemptCookie = "__Host-apitoken-login" // a sign-in that has begun
)

// attemptFor is how long a person has to sign in at the issuer.
const attemptFor = 10 * time.Minute

// begun is the content of the cookie of a sign-in.
type begun struct {
	identity.Attempt
	To string    `json:"t"` // the path below /ui/ to go to afterwards
	At time.Time `json:"b"`
}

var errStale = errors.New("the cookie is no sealed sign-in")

// seal returns the value of the cookie: the kid of the pepper, a dot, and the sealed
// text.
func (b begun) seal(keys events.Keys) (string, error) {
	kid := keys.Current()
	aead, err := cipherOf(keys, kid)
	if err != nil {
		return "", fmt.Errorf("sealing a sign-in: %w", err)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("sealing a sign-in: %w", err)
	}
	return kid + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, text, []byte(attemptCookie))), nil
}

// open returns the sign-in of a cookie, if it began less than attemptFor ago.
func open(keys events.Keys, value string, now time.Time) (b begun, err error) {
	kid, encoded, _ := strings.Cut(value, ".")
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return begun{}, errStale
	}
	aead, err := cipherOf(keys, kid)
	if errors.Is(err, events.ErrUnknownKid) {
		return begun{}, errStale // the browser can write any kid
	}
	if err != nil {
		return begun{}, fmt.Errorf("opening a sign-in: %w", err)
	}
	text, err := aead.Open(nil, nil, sealed, []byte(attemptCookie))
	if err != nil || json.Unmarshal(text, &b) != nil {
		return begun{}, errStale
	}
	if age := now.Sub(b.At); age < 0 || age >= attemptFor {
		return begun{}, errStale
	}
	return b, nil
}

// cipherOf derives the key of the cookie with HKDF (RFC 5869) from a pepper. The MAC is
// the step HKDF-Extract, with another message than for every other use of the pepper.
func cipherOf(keys events.Keys, kid string) (cipher.AEAD, error) {
	extracted, err := keys.MAC(kid, []byte("apitoken/login/1\x00"))
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Expand(sha256.New, extracted, "AES-256-GCM", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// attempt returns the cookie of a sign-in. The browser sends it with the redirect of the
// issuer: that is a navigation from another site, which SameSite=Lax allows and Strict
// does not.
func attempt(value string) *http.Cookie {
	c := cookie(attemptCookie, value)
	c.MaxAge = int(attemptFor / time.Second)
	return c
}

// endAttempt removes the cookie of a sign-in.
func endAttempt() *http.Cookie {
	c := cookie(attemptCookie, "")
	c.MaxAge = -1
	return c
}

// Session returns the cookie of a session. It has no age, so it ends when the browser
// ends, like the note of the page about its last use. A cookie that lives longer than
// this note would look like one of a session that has just been opened, and the
// next user of the browser would have the session.
func Session(text secret.Secret) *http.Cookie { return cookie(SessionCookie, text.Reveal()) }

func cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
