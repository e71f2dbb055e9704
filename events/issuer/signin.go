package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// SignIn says who signed in and how. It has exactly what an identity provider, a
// password or an exchange has proved.
type SignIn struct {
	Owner   string     // owner key: of name.OwnerOf, a mapped name, or the name of a password
	Name    string     // displayed name; empty: unknown. A name that cannot be shown is left out
	Via     string     // guard.ViaOIDC, guard.ViaPassword or guard.ViaExchange
	Alias   string     // of the issuer, for the groups; empty: that of Owner, or none
	Issuer  string     // URL of the issuer; empty for a password
	Subject string     // at the issuer; only its digest is stored
	Groups  []string   // names as the issuer gives them
	Until   time.Time  // latest end of the session; zero: the longest life, session.MaxLife
	Address netip.Addr // of the client; invalid if unknown
	UI      bool       // at the page
}

// OpenSession opens a session for a person or a program that signed in, and returns it
// with its text, which contains the secret. The text is not stored and never returned
// again. The permissions of the session follow from the groups and from the settings at
// this time. A session by guard.ViaExchange makes nothing that outlives it.
//
// A suspended user is refused with user_suspended, and more than session.MaxSignIns in an
// hour with session.CodeSignInRate.
func (i *Issuer) OpenSession(ctx context.Context, s SignIn) (Token, secret.Secret, error) {
	if s.Via == guard.ViaToken {
		return Token{}, secret.Secret{}, errors.New("opening a session: a token opens one by OpenSessionWith")
	}
	set, err := i.readSettings(ctx)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	if err := i.checkSuspension(ctx, s.Owner); err != nil {
		return Token{}, secret.Secret{}, err
	}
	by := guard.Principal{Owner: s.Owner, Address: s.Address}
	return i.open(ctx, i.meta(by, set), session.Open{
		Owner: s.Owner, Via: s.Via, Issuer: s.Issuer, SubjectDigest: digestOfSubject(s), Name: shownName(s.Name),
		Until: s.Until, Bound: s.Via == guard.ViaExchange, Permissions: permissionsOf(set, s), UI: s.UI,
	})
}

// OpenSessionWith opens a session of the caller with the token that the caller shows. The
// session keeps the scopes and the source ranges of the token. It ends with the token at
// the latest, and makes nothing that outlives the token. It ends also when the token ends,
// is disabled or rotated, or may do less.
//
// A session and an outgoing secret are refused with token.CodeDeniedByCredential.
func (i *Issuer) OpenSessionWith(ctx context.Context, by guard.Principal, ui bool) (Token, secret.Secret, error) {
	if by.Kind != guard.KindToken || by.Credential != guard.CredentialCurrent {
		return Token{}, secret.Secret{}, &events.Refusal{
			Code: token.CodeDeniedByCredential, Detail: "only the current secret of a token opens a session; neither a session nor a secret that a rotation has replaced does",
		}
	}
	set, err := i.recentSettings(ctx)
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	opened, text, err := i.open(ctx, i.meta(by, set), session.Open{
		Owner: by.Owner, Via: guard.ViaToken, Until: by.ExpiresAt, MakesUntil: by.ExpiresAt,
		Scopes: by.Scopes, SourceIPs: by.SourceIPs, OpenedWith: by.TokenID, OpenedAfter: by.Rotated, UI: ui,
	})
	if err != nil {
		return Token{}, secret.Secret{}, err
	}
	if err := i.checkOpened(ctx, by, set, opened); err != nil {
		return Token{}, secret.Secret{}, err
	}
	return opened, text, nil
}

// checkSuspension refuses an owner whose tokens are suspended. The stream of the sessions
// alone does not say so after a suspension that was interrupted between its two writes,
// and after one from the time before there were sessions. A suspension that begins after
// this read ends the session that is opened meanwhile.
func (i *Issuer) checkSuspension(ctx context.Context, owner string) error {
	tokens, _, err := load(ctx, i.store, i.keys, tokenRules, events.UserStream(owner))
	if err == nil && tokens.Suspended {
		err = session.Suspended()
	}
	return err
}

// checkOpened ends a session again if its token has changed while it was opened. Tokens
// and sessions are in different streams, so no one commit sees both: a command that ends
// a token looks for sessions after its own write, and this check looks at the token after
// the session was written. So the later one of both sees the other.
func (i *Issuer) checkOpened(ctx context.Context, by guard.Principal, set settings.State, opened Token) error {
	v, _, err := i.readView(ctx, by.TokenID)
	if err != nil && !errors.Is(err, events.ErrNotFound) {
		return err // the caller gets no secret, so the session cannot be used
	}
	if err == nil && v.Owner == by.Owner && v.StateAt(i.now()) == events.StateActive && v.Rotated == by.Rotated && !token.Exceeds(opened.View, v) {
		return nil
	}
	if err := i.closeSession(ctx, i.meta(by, set), opened.View, events.CauseUser, nil); err != nil && !isNotFound(err) {
		return err
	}
	return &events.Refusal{Code: token.CodeDeniedByCredential, Detail: "while this call was running, the token ended, was disabled, got a new secret or may do less; it opens no session"}
}

// open runs the command with a newly minted id. If the id is taken, nothing was written,
// and open tries another one.
func (i *Issuer) open(ctx context.Context, m events.Meta, c session.Open) (Token, secret.Secret, error) {
	for range idTries {
		minted := secret.Mint(i.prefix)
		verifier, err := secret.NewVerifier(i.keys, minted, c.Owner)
		if err != nil {
			return Token{}, secret.Secret{}, fmt.Errorf("making the verifier of session %s: %w", minted.ID, err)
		}
		c.ID, c.Verifier = minted.ID, verifier
		after, err := do(ctx, i, sessionRules, events.SessionStream(c.Owner), m, func(at time.Time) session.Command { return session.At(c, at) })
		switch {
		case errors.Is(err, events.ErrIDTaken):
			continue
		case err != nil:
			return Token{}, secret.Secret{}, err
		}
		v, found := after.Find(minted.ID)
		if !found {
			return Token{}, secret.Secret{}, fmt.Errorf("session %s was opened, but its owner's state does not have it", minted.ID)
		}
		return i.tokenOf(v, events.Use{}), minted.Text(), nil
	}
	return Token{}, secret.Secret{}, fmt.Errorf("minting a session id: %d random ids in a row are in use: the random source is broken", idTries)
}

func digestOfSubject(s SignIn) string {
	if s.Issuer == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Subject))
	return hex.EncodeToString(sum[:])
}

// shownName returns the displayed name, or "" if it cannot be shown: the issuer chooses
// it, and it decides nothing, so it refuses no sign-in.
func shownName(text string) string {
	if name.CheckText("name", text, session.MaxName) != nil {
		return ""
	}
	return text
}

// permissionsOf returns the actions that the groups give to a session.
func permissionsOf(set settings.State, s SignIn) []string {
	alias := s.Alias
	if alias == "" {
		alias, _ = name.AliasOf(s.Owner)
	}
	if alias == "" {
		return nil
	}
	return set.GroupActions(alias, s.Groups)
}
