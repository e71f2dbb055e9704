package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/scope"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// credential asks the service about the token itself. These calls need no scope.
func (r *report) credential(ctx context.Context, s *service, token secret.Secret) {
	client := httpapi.NewClient(s.base, token, s.http)
	entry, err := client.GetSelf(ctx)
	if err != nil {
		r.refused(err)
		return
	}
	r.expiry(entry)
	r.limits(entry)
	caller, err := client.WhoAmI(ctx)
	if err != nil {
		r.refused(err)
		return
	}
	if len(caller.Permissions) == 0 {
		r.ok("permissions", "none: the token manages only the tokens of %s", caller.Name)
		return
	}
	r.ok("permissions", "%s, for the tokens of other users", strings.Join(caller.Permissions, ", "))
}

// refused says why the token does not work.
func (r *report) refused(err error) {
	p, answered := errors.AsType[*httpapi.Problem](err)
	if !answered {
		r.problem("works", plainError(err), access.Hint(err))
		return
	}
	r.problem("works", fmt.Sprintf("no: %s (%d %s)", p.Detail, p.Status, p.Code), nextFor(p))
}

// nextFor is what the user can do after a refusal of the token.
func nextFor(p *httpapi.Problem) string {
	if next, known := nextSteps[p.Code]; known {
		return next
	}
	switch {
	case p.Code == "":
		return "something between this machine and the service refuses the token, or the address is wrong"
	case p.Status == http.StatusForbidden:
		return "use another token, or ask an administrator"
	case p.Retryable:
		return "try again later"
	}
	return ""
}

var nextSteps = map[string]string{
	"token_invalid":               "the token is of another service, or ended long ago; check that address and token belong together, and ask an administrator for a new token",
	"token_malformed":             "copy the token again",
	"token_expired":               "ask an administrator for a new token",
	"token_revoked":               "a revoked token never works again; ask an administrator for a new token",
	"token_disabled":              "its owner, with another token, or an administrator can run `apitoken enable ID`",
	"token_suspended":             "ask an administrator; `apitoken reinstate` ends the suspension of its user",
	"token_replaced":              "the token was rotated; use the new secret, for example from the file that `apitoken rotate --write-to` wrote",
	"permission_denied_by_source": "call the service from an address in the source ranges of the token, or use another token; a proxy may hide your address",
	"permission_denied_by_scope":  "use a token with wider scopes",
}

// week is the time before an expiry in which the doctor warns.
const week = 7 * 24 * time.Hour

// expiry says for whom and until when the token works. It uses the clock of this
// machine, which the check before has compared.
func (r *report) expiry(entry httpapi.Entry) {
	text := "yes, for " + entry.User.Name
	if entry.ExpirationTime.IsZero() {
		r.ok("works", "%s; it does not expire", text)
		return
	}
	text += ", until " + console.FormatTime(entry.ExpirationTime.Time)
	if time.Until(entry.ExpirationTime.Time) < week {
		r.warning("works", text, "create a new token before that instant")
		return
	}
	r.ok("works", "%s", text)
}

// limits says which calls the token may make, and from where.
func (r *report) limits(entry httpapi.Entry) {
	text := "all calls of its owner"
	if len(entry.Scopes) > 0 {
		text = "only " + strings.Join(entry.Scopes, ", ")
	}
	text += ranges(entry.SourceIPs)
	if !managesTokens(entry.Scopes) {
		r.warning("scopes", text+"; no command works with it but `whoami`, `show self`, `history self` and `revoke self`: 403 permission_denied_by_scope", "for other commands, use a token with other scopes")
		return
	}
	r.ok("scopes", "%s", text)
}

func ranges(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return ", from any address"
	}
	var texts []string
	for _, p := range prefixes {
		texts = append(texts, p.String())
	}
	return ", from " + strings.Join(texts, ", ")
}

// managesTokens reports whether the scopes allow any call of this service that needs a
// scope.
func managesTokens(scopes []string) bool {
	for _, route := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", "JhxND7ci", "{user}", "ann").Replace(route.Path)
		if call := scope.CallOf(route.Method, path); !route.Open && !scope.IsAboutSelf(call) && scope.Allows(scopes, call) {
			return true
		}
	}
	return false
}
