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
	"apitoken/events/secret"
)

// Admin is the user to whom the bootstrap gives the realm "security".
const Admin = "admin"

// What the marker says about the bootstrap that it was written for.
const (
	markReplace = "replace" // the earlier tokens are revoked: doing it again is safe
	markAdd     = "add"     // other tokens stay: doing it again would leave one too many
)

// Start says what a first start, or the first after a kill, had to do.
type Start int

const (
	StartReady   Start = iota // the folder was bootstrapped earlier
	StartWrote                // the administrator's token was written
	StartUnclear              // a bootstrap that kept the other tokens was cut short
)

// AdminPath is where the administrator's token is written.
func (f *Folder) AdminPath() string { return f.Path(adminFile) }

// EnsureAdmin bootstraps the folder on its first start.
//
// A marker stands in the folder from before the bootstrap until the token is
// durable in its file. If a process is killed in between, the next start finds
// the marker and does it again with replace, so the token that nobody ever saw
// is revoked. Without the marker a missing file is left missing: then somebody
// took the token to a safer place.
func (f *Folder) EnsureAdmin(ctx context.Context, i *issuer.Issuer) (Start, error) {
	head, err := f.Store.Head(ctx, events.SettingsStream)
	if err != nil {
		return StartReady, fmt.Errorf("reading the settings in %s: %w", f.Path(storeFile), err)
	}
	mark, err := f.marker()
	switch {
	case err != nil:
		return StartReady, err
	case mark == markAdd:
		return StartUnclear, f.unmark()
	case mark == "" && head.Version > 0:
		return StartReady, nil
	}
	return StartWrote, f.NewAdmin(ctx, i, true)
}

// NewAdmin bootstraps the folder and writes the new token into its file. With
// replace the administrator's other tokens are revoked; without it they stay.
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
		return f.undone(err)
	}
	if err := WritePrivate(f.AdminPath(), text.Reveal()); err != nil {
		return err
	}
	return f.unmark()
}

// undone takes the marker back after a refusal by the rules, which wrote no
// token. After any other error the outcome is unknown, and the marker stays.
func (f *Folder) undone(err error) error {
	err = fmt.Errorf("making a token for %s: %w", Admin, err)
	refusal, refused := errors.AsType[*events.Refusal](err)
	if refused && refusal.Code == "token_limit_reached" {
		err = fmt.Errorf("%w; --replace revokes the others first", err)
	}
	if refused {
		err = errors.Join(err, f.unmark())
	}
	return err
}

// AdminWorks says whether the token in the administrator's file is still good.
func (f *Folder) AdminWorks(ctx context.Context, g *guard.Guard) (bool, error) {
	if !exists(f.Dir, adminFile) {
		return false, nil
	}
	text, err := ReadPrivate(f.AdminPath())
	if err != nil {
		return false, err
	}
	parsed, err := secret.Parse(text)
	if err != nil {
		return false, nil // it is damaged, so nobody can use it
	}
	_, err = g.Check(ctx, parsed, netip.Addr{})
	if _, denied := errors.AsType[*guard.Denial](err); denied {
		return false, nil
	}
	return err == nil, err
}

// marker is what the marker says, empty if there is none. One whose text is
// not known stands for markAdd, which revokes nothing.
func (f *Folder) marker() (string, error) {
	if !exists(f.Dir, markerFile) {
		return "", nil
	}
	text, err := ReadPrivate(f.Path(markerFile))
	if err == nil && text != markReplace {
		text = markAdd
	}
	return text, err
}

func (f *Folder) unmark() error {
	if err := os.Remove(f.Path(markerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", f.Path(markerFile), err)
	}
	return syncDir(f.Dir)
}
