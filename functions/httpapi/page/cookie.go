package page

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"apitoken/events/secret"
)

// The cookies of the page. With the prefix __Host-, a browser accepts them only with
// Secure, with the path /, and without a domain, so no other host can set them.
const (
	sessionCookie = "__Host-apitoken"      // the text of the session
	usedCookie    = "__Host-apitoken-used" // the id of the session, and the last use of the page in Unix seconds
)

const (
	idleTime = 30 * time.Minute // without use, after which the page ends the session

	// useEvery is the time between two changes of the cookie with the last use.
	useEvery = 5 * time.Minute
)

// cookie returns a cookie that ends with the browser's own session.
func cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// keep gives the browser a session.
func (v *visit) keep(session secret.Secret) {
	v.session = session
	http.SetCookie(v.w, cookie(sessionCookie, session.Reveal()))
	v.setUse(v.Now())
}

// forget takes the session from the browser.
func (v *visit) forget() {
	for _, name := range []string{sessionCookie, usedCookie} {
		c := cookie(name, "")
		c.MaxAge = -1
		http.SetCookie(v.w, c)
	}
}

// readSession returns the session of the browser. It is the zero Secret if there is
// none.
func (v *visit) readSession() secret.Secret {
	c, err := v.r.Cookie(sessionCookie)
	if err != nil || c.Value == "" {
		return secret.Secret{}
	}
	return secret.New(c.Value)
}

// idle reports whether the session was not used for idleTime. A session without a
// note of its use has just been opened. The note is not signed: who can change the
// cookies of a browser has the session itself.
func (v *visit) idle() bool {
	used, found := v.lastUse()
	return found && v.Now().Sub(used) >= idleTime
}

// lastUse returns the noted use of this session. A note about an earlier session does
// not count.
func (v *visit) lastUse() (at time.Time, found bool) {
	c, err := v.r.Cookie(usedCookie)
	if err != nil {
		return at, false
	}
	id, text, _ := strings.Cut(c.Value, ".")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id != sessionID(v.session) {
		return at, false
	}
	return time.Unix(seconds, 0), true
}

// noteUse stores the use of the session in the browser, if the last note is old.
func (v *visit) noteUse() {
	if used, found := v.lastUse(); !found || v.Now().Sub(used) >= useEvery {
		v.setUse(v.Now())
	}
}

// noteSoon lets the next request store the use of the session. Browsers that keep
// whole pages for the button Back drop those that no cache may store when such a
// cookie changes. So the answer with a secret is dropped also without our script.
func (v *visit) noteSoon() { v.setUse(v.Now().Add(-useEvery)) }

func (v *visit) setUse(at time.Time) {
	http.SetCookie(v.w, cookie(usedCookie, sessionID(v.session)+"."+strconv.FormatInt(at.Unix(), 10)))
}

// sessionID returns the id of a session, which is no secret.
func sessionID(session secret.Secret) string {
	t, err := secret.Parse(session.Reveal())
	if err != nil {
		return "unknown"
	}
	return t.ID
}
