package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// Admin is the user that the bootstrap makes the administrator: the user gets all
// permissions on the realm "security".
const Admin = "admin"

// The texts of the marker: the kind of bootstrap that is running.
const (
	markReplace = "replace" // it revokes earlier tokens, so it is safe to repeat
	markAdd     = "add"     // it keeps other tokens, so a repeat would leave one token too many
)

// Start is what EnsureAdmin found and did.
type Start int

const (
	StartReady   Start = iota // the folder was bootstrapped earlier
	StartWrote                // EnsureAdmin wrote the administrator's token
	StartUnclear              // a bootstrap was interrupted and may have left a live token without its secret
)

// AdminPath is the path of the file with the administrator's token.
func (f *Folder) AdminPath() string { return f.Path(adminFile) }

// EnsureAdmin bootstraps the folder on its first start.
//
// It writes a marker into the folder before the bootstrap, and removes the marker
// when the token is durable in its file. If a process is killed in between, the
// next start finds the marker and repeats the bootstrap with replace. This revokes
// the token that no user ever saw. Without the marker EnsureAdmin does not write a
// missing file again: a user moved the token to a safer place.
func (f *Folder) EnsureAdmin(ctx context.Context, i *issuer.Issuer) (Start, error) {
	head, err := f.Store.Head(ctx, events.SettingsStream)
	if err != nil {
		return StartReady, fmt.Errorf("reading the settings in %s: %w", f.Path(storeFile), err)
	}
	mark, err := f.readMarker()
	switch {
	case err != nil:
		return StartReady, err
	case mark == markAdd:
		return StartUnclear, f.removeMarker()
	case mark == "" && head.Version > 0:
		return StartReady, nil
	}
	return StartWrote, f.NewAdmin(ctx, i, true)
}

// NewAdmin bootstraps the folder and writes the new token into its file. With
// replace it revokes the administrator's other tokens; otherwise they stay live.
func (f *Folder) NewAdmin(ctx context.Context, i *issuer.Issuer, replace bool) error {
	mark := markAdd
	if replace {
		mark = markReplace
	}
	if err := WritePrivate(f.Path(markerFile), mark); err != nil {
		return err
	}
	_, text, err := i.Bootstrap(ctx, Admin, replace)
	if err != nil {
		return f.afterRefusal(err)
	}
	if err := WritePrivate(f.AdminPath(), text.Reveal()); err != nil {
		return err
	}
	return f.removeMarker()
}

// afterRefusal removes the marker if err is a refusal, because a refused bootstrap
// made no token. After any other error the outcome is unknown, and the marker
// stays. At the limit, and for a suspended administrator, it adds a remedy.
func (f *Folder) afterRefusal(err error) error {
	err = fmt.Errorf("making a token for %s: %w", Admin, err)
	refusal, refused := errors.AsType[*events.Refusal](err)
	if refused && (refusal.Code == "token_limit_reached" || refusal.Code == "user_suspended") {
		err = fmt.Errorf("%w; --replace first revokes the other tokens", err)
	}
	if refused {
		err = errors.Join(err, f.removeMarker())
	}
	return err
}

// AdminWorks reports whether the guard still accepts the token in the
// administrator's file. Without a file it is false.
func (f *Folder) AdminWorks(ctx context.Context, g *guard.Guard) (bool, error) {
	if !exists(f.Dir, adminFile) {
		return false, nil
	}
	text, err := ReadPrivate(f.AdminPath())
	if err != nil {
		return false, err
	}
	parsed, err := ParseToken(text)
	if err != nil {
		return false, nil // the text is damaged: no caller can use it
	}
	_, err = g.Check(ctx, parsed, netip.Addr{})
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return false, nil
	}
	return err == nil, err
}

// readMarker returns the text of the marker, "" if there is no marker. It returns
// an unknown text as markAdd, because markAdd revokes nothing.
func (f *Folder) readMarker() (string, error) {
	if !exists(f.Dir, markerFile) {
		return "", nil
	}
	text, err := ReadPrivate(f.Path(markerFile))
	if err == nil && text != markReplace {
		text = markAdd
	}
	return text, err
}

func (f *Folder) removeMarker() error {
	if err := os.Remove(f.Path(markerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", f.Path(markerFile), err)
	}
	return syncDir(f.Dir)
}
