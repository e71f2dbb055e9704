package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/datadir"
)

// pendingMark ends the name of the file with the key of a rotation that is not
// finished. If the process is killed after the service has rotated the token, the
// key is the only way to the new secret: the old one manages no tokens.
const pendingMark = ".rotation"

// rotationFile is the file that gets the new token. nil: there is none. A process
// holds the file with the key as long as it rotates: of two runs at the same time,
// one could otherwise write a secret that the other one has replaced.
type rotationFile struct {
	target  *datadir.TokenTarget
	pending *datadir.HeldFile // the file with the key
	key     string
	again   bool // the key is that of an earlier run
}

// newRotationFile makes the file at path ready. key is the key that the user gave;
// if it is empty, the key is that of an earlier run or a new one.
func newRotationFile(path, id, grace, key string) (*rotationFile, error) {
	pending, text, err := datadir.Hold(path + pendingMark)
	if errors.Is(err, datadir.ErrHeld) {
		return nil, fmt.Errorf("another run is rotating the token of %s; wait until it has ended, and look whether a rotation is still needed", path)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing to write %s: %w", path, err)
	}
	f := &rotationFile{pending: pending}
	if f.target, err = datadir.PrepareTokenTarget(path, id); err == nil {
		err = f.chooseKey(path+pendingMark, text, id, grace, key)
	}
	if err != nil {
		if text == "" {
			f.forget()
		}
		f.discard()
		return nil, err
	}
	return f, nil
}

// chooseKey sets the key: the one in the text, which an earlier run wrote, or a new
// one. A new key is on disk before the call. A grace other than that of the earlier
// run would be another request, which the service refuses.
func (f *rotationFile) chooseKey(path, text, id, grace, given string) error {
	if text == "" {
		f.key = cmp.Or(given, rand.Text())
		return f.pending.Write(strings.Join([]string{f.key, id, grace}, " "))
	}
	key, rest, _ := strings.Cut(text, " ")
	earlierID, earlierGrace, _ := strings.Cut(rest, " ")
	switch {
	case !validKey.MatchString(key):
		return fmt.Errorf("%s is not a file of an unfinished rotation; remove it if nothing else needs it", path)
	case earlierID != id || earlierGrace != grace:
		return fmt.Errorf("%s belongs to an unfinished rotation of token %s %s: run that command again, or remove the file if the new secret is not needed", path, earlierID, graceFlag(earlierGrace))
	case given != "" && given != key:
		return fmt.Errorf("%s belongs to an unfinished rotation with another key: leave out --idempotency-key, or remove the file if the new secret is not needed", path)
	}
	f.key, f.again = key, true
	return nil
}

func graceFlag(grace string) string {
	if grace == "" {
		return "without --grace"
	}
	return "with --grace " + grace
}

// discard removes what is not needed after the command, and lets other runs begin.
// The key stays, unless forget has removed it.
func (f *rotationFile) discard() {
	if f == nil {
		return
	}
	if f.target != nil {
		f.target.Discard()
	}
	f.pending.Release()
}

// forget removes the key of the rotation: it is finished, or never happened. Other
// runs may begin from now on, so it first removes what this run has reserved.
func (f *rotationFile) forget() {
	if f.target != nil {
		f.target.Discard()
	}
	f.pending.Remove()
}

// forgetRefused removes the key if the service has refused the rotation, and no
// request with the key can have been applied, or its answer is of no use. sent is
// the number of requests of this run.
func (f *rotationFile) forgetRefused(err error, sent int) {
	p, refused := access.Refusal(err)
	switch {
	case f == nil:
	case sent <= 1 && !f.again && access.ChangedNothing(err):
		f.forget()
	case refused && slices.Contains(afterTheKey, p.Status):
		f.forget()
	}
}

// afterTheKey are the statuses of refusals that the service gives after it has
// looked for an earlier answer with the key, or about the request itself.
var afterTheKey = []int{http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity}

// sentRequests counts the requests that a client sends.
type sentRequests struct {
	transport http.RoundTripper
	n         int
}

func (s *sentRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	s.n++
	return s.transport.RoundTrip(r)
}
