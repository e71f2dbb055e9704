package signin

import (
	"errors"
	"log/slog"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// endEarlier closes the session that the browser had before a new sign-in, because the
// browser forgets its text. Only a session ends in this way: the browser cannot end a
// token by a cookie. The person is signed in also if this fails: the session is then in
// the list of the person's sessions until it expires.
func endEarlier(x *machine.Exchange) {
	ctx := x.Request.Context()
	given := x.Request.CookiesNamed(SessionCookie)
	if len(given) != 1 {
		return
	}
	shown, err := secret.Parse(given[0].Value)
	if err != nil {
		return
	}
	earlier, err := x.Config.Guard.Inspect(ctx, shown, x.Address())
	if err == nil && (earlier.Denial != nil || !earlier.View.IsSession()) {
		return
	}
	if err == nil {
		by := earlier.Principal()
		by.UIAddress = x.Address()
		err = x.Config.Issuer.Revoke(ctx, by, shown.ID)
	}
	if r, ok := errors.AsType[*events.Refusal](err); ok && r.Code == token.CodeNotFoundRevoked {
		return // another request was faster
	}
	if err != nil {
		x.Config.Logger.LogAttrs(ctx, slog.LevelError, "the earlier session of a browser could not be closed", slog.String("token_id", shown.ID), slog.Any("error", err))
	}
}
