// Package passwords checks the passwords of users for a server, with a password file.
//
// It promises that a stranger can neither guess quickly, nor lock a user out, nor keep
// the processor from other requests: failures are counted for each address, and at most
// two passwords are compared at a time. It reads the file again when the server asks. No
// error, log line or answer has a password or a text of the file. It leaves the form of
// the file to infra/htpasswd, and the session to the caller.
package passwords

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/htpasswd"
)

const (
	// maxAtOnce is the number of comparisons that run at the same time. Each one keeps a
	// core busy. Half of the cores stay free in any case.
	maxAtOnce = 2

	maxWaiting = 64              // sign-ins that wait for a comparison
	maxWait    = 5 * time.Second // how long each of them waits
)

// Passwords is a password file that is open for checks.
type Passwords struct {
	path   string
	logger *slog.Logger
	users  atomic.Pointer[users]

	failures *failures
	slots    chan struct{}
	waiting  atomic.Int32

	problem string // of the last look; a problem that stays is logged once
}

var _ machine.Passwords = (*Passwords)(nil)

// users is the content of the file.
type users struct {
	check  func(user, password string) bool
	number int
	digest [sha256.Size]byte // of the text
}

// Open reads the file for the first time.
func Open(path string, logger *slog.Logger) (*Passwords, error) {
	p := &Passwords{path: path, logger: logger, failures: newFailures(time.Now), slots: make(chan struct{}, atOnce())}
	first, err := p.load()
	if err != nil {
		return nil, fmt.Errorf("reading the password file: %w", err)
	}
	p.users.Store(first)
	return p, nil
}

func atOnce() int { return max(1, min(maxAtOnce, runtime.GOMAXPROCS(0)/2)) }

// Check returns nil if the password is that of the user, and machine.ErrPassword if not.
// A refusal says that too many failures came from the address. Every other error is that
// of ctx, or says that too many sign-ins wait.
//
// The failures are counted when a comparison begins, and not while it waits. So the tries
// that are counted before they have failed are as few as the comparisons at one time.
func (p *Passwords) Check(ctx context.Context, user string, password secret.Secret, from netip.Addr) error {
	if err := p.failures.check(user, from); err != nil { // without a wait
		return err
	}
	release, err := p.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	undo, err := p.failures.begin(user, from)
	if err != nil {
		return err
	}
	if !p.users.Load().check(user, password.Reveal()) {
		return machine.ErrPassword
	}
	undo()
	return nil
}

// errBusy is an outage and no denial: the user may be right.
var errBusy = errors.New("too many sign-ins wait for a comparison of their passwords")

// slot waits until a comparison may begin.
func (p *Passwords) slot(ctx context.Context) (release func(), err error) {
	if p.waiting.Add(1) > maxWaiting {
		p.waiting.Add(-1)
		return nil, machine.Outage(errBusy)
	}
	defer p.waiting.Add(-1)
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-late.C:
		return nil, machine.Outage(errBusy)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load reads the file.
func (p *Passwords) load() (*users, error) {
	text, readable, err := datadir.ReadGuarded(p.path)
	if err != nil {
		return nil, err
	}
	file, err := htpasswd.Parse(text, isLocal)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	next := &users{check: file.Check, number: file.Len(), digest: sha256.Sum256([]byte(text))}
	if now := p.users.Load(); readable != 0 && (now == nil || now.digest != next.digest) {
		p.logger.Warn("other users can read the password file, and try passwords on its hashes", "path", p.path,
			"mode", fmt.Sprintf("%03o", readable), "remedy", "chmod go-r "+p.path)
	}
	return next, nil
}

// isLocal reports whether a text is the owner key of a user of this service itself. The
// users of a directory do not have their passwords in a file here.
func isLocal(user string) bool {
	return name.ValidOwner(user) == nil && name.IdentityOf(user).Domain == "LOCAL"
}

// Reload reads the file again. After an error the content before stays in use. If
// somebody asked for it, each outcome is logged. Only one call at a time is allowed. A
// user who is no longer in the file keeps the sessions that are open.
func (p *Passwords) Reload(ctx context.Context, asked bool) {
	next, err := p.load()
	if err != nil {
		if asked || err.Error() != p.problem {
			p.logger.ErrorContext(ctx, "the new password file cannot be used; the one before stays in use", "error", err)
		}
		p.problem = err.Error()
		return
	}
	p.problem = ""
	changed := p.users.Swap(next).digest != next.digest
	switch {
	case changed:
		p.logger.InfoContext(ctx, "the new password file is in use", "path", p.path, "users", next.number)
	case asked:
		p.logger.InfoContext(ctx, "the password file was read again and is the same", "path", p.path, "users", next.number)
	}
}
