package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/functions/httpapi"
)

// pendingMark ends the name of the file with the key of a rotation that is not
// finished. If the process is killed after the service has rotated the token, the
// key is the only way to the new secret: the old one manages no tokens.
const pendingMark = ".rotation"

// rotationFile is the file that gets the new token. nil: there is none.
type rotationFile struct {
	target  *datadir.TokenTarget
	pending string // the file with the key; "": the user keeps the key
	again   bool   // the key is that of an earlier run
}

// discard removes what is not needed after the command. The key stays, unless
// forget has removed it.
func (f *rotationFile) discard() {
	if f != nil {
		f.target.Discard()
	}
}

// forget removes the key of the rotation: it is finished, or never happened.
func (f *rotationFile) forget() {
	if f != nil && f.pending != "" {
		os.Remove(f.pending) // an old key makes no harm: the service refuses it, or gives the same secret
	}
}

// pendingKey returns the key of the rotation that an earlier run did not finish, or
// a new key. The key is on disk before the call. A grace other than that of the
// earlier run would be another request, which the service refuses.
func pendingKey(path, id, grace string) (key string, again bool, err error) {
	text, err := datadir.ReadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = rand.Text()
		return key, false, datadir.WritePrivate(path, strings.Join([]string{key, id, grace}, " "))
	}
	if err != nil {
		return "", false, err
	}
	key, rest, _ := strings.Cut(text, " ")
	earlierID, earlierGrace, _ := strings.Cut(rest, " ")
	switch {
	case !validKey.MatchString(key):
		return "", false, fmt.Errorf("%s is not a file of an unfinished rotation; remove it if nothing else needs it", path)
	case earlierID != id || earlierGrace != grace:
		return "", false, fmt.Errorf("%s belongs to an unfinished rotation of token %s with the grace %q: run that command again, or remove the file if the new secret is not needed", path, earlierID, earlierGrace)
	}
	return key, true, nil
}

// forgetRefused removes the key if the service has refused the rotation, and no
// request with the key can have been applied, or its answer is of no use. sent is
// the number of requests of this run.
func (f *rotationFile) forgetRefused(err error, sent int) {
	p, answered := errors.AsType[*httpapi.Problem](err)
	refused := answered && p.Code != "" && p.Status < http.StatusInternalServerError
	switch {
	case f == nil:
	case sent <= 1 && !f.again && (refused || errors.Is(err, syscall.ECONNREFUSED)):
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
