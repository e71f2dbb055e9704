package oci

import (
	"context"
	"net/http"
	"strings"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// timeForm is a time as OCI prints it, if it is not a whole second.
const timeForm = "2006-01-02T15:04:05.000000+00:00"

// tokenAnswer is the answer about one token.
func tokenAnswer(e httpapi.Entry, token string) answer {
	a := answer{"data": tokenData(e, token)}
	if e.ETag != "" {
		a["etag"] = strings.Trim(e.ETag, `"`)
	}
	return a
}

// tokenData is a token with OCI's members. token is the whole token, or "" if it is
// not known any more.
func tokenData(e httpapi.Entry, token string) map[string]any {
	key, err := e.User.Key()
	if err != nil {
		key = "?"
	}
	return map[string]any{
		"description":     e.Description,
		"id":              e.ID,
		"inactive-status": nil,
		"lifecycle-state": lifecycleState(e.State),
		"time-created":    timeText(e.CreationTime.Time),
		"time-expires":    timeText(e.ExpirationTime.Time),
		"token":           orNull(token),
		"user-id":         key,
	}
}

// lifecycleState is the state with OCI's words: a token that does not pass is
// INACTIVE.
func lifecycleState(state string) string {
	if state == "active" {
		return "ACTIVE"
	}
	return "INACTIVE"
}

// timeText is a time as Python prints it, or null for no time.
func timeText(t time.Time) any {
	switch t = t.UTC(); {
	case t.IsZero():
		return nil
	case t.Nanosecond() == 0:
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format(timeForm)
}

// owned returns the token of a user. A token of another user is missing, as in OCI,
// where a token is below its user. The owner of a token never changes.
func owned(ctx context.Context, client *httpapi.Client, id, owner string) (httpapi.Entry, error) {
	entry, err := client.Get(ctx, id)
	if err != nil {
		return entry, err
	}
	if key, err := entry.User.Key(); err != nil || key != owner {
		return entry, errNotOfUser
	}
	return entry, nil
}

// errNotOfUser is the answer about the token of another user.
var errNotOfUser = &httpapi.Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "The user has no token with this id."}

// unknown marks the error of a call that may have done its work.
func unknown(err error, hint string) error {
	if err == nil || access.ChangedNothing(err) {
		return err
	}
	return &console.UnknownOutcomeError{Err: err, Hint: hint}
}
