package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/issuer"
)

func newAuditReapply(e *console.Env) *cobra.Command {
	var f sourceFlags
	c := &cobra.Command{
		Use: "reapply",
		Example: `  apitoken audit reapply --data .apitoken
  apitoken audit reapply --table RESTORED --audit-table COPIES`,
		Short: "Revoke again, in a restored log, every token that the copies show as revoked",
		Long: `Revoke again, in a restored log, every token that the copies show as revoked. A
log that was restored to an earlier time accepts tokens that were revoked later.
Prints a line for each token that it revokes. No other process may use the log
meanwhile. After an interruption the command may be run again.

The command verifies each copy first: stream, hash, chain and record MAC. It
prints a line for each copy that it refuses, and for each stream that it cannot
read. It goes on with the others and fails at the end. The oldest copies of a
stream may be missing.

Other later events are not brought back. Tokens that were created later are
refused. Settings, permissions, suspensions, and what a token may do are those of
the earlier time. In a data folder, the command suspends again each user whose last
later event of this kind is a suspension. It prints the other later events, and notes
all of them in DIR/superseded.jsonl: audit verify then accepts that the log does not
have them, and serve starts.

With --table and --audit-table the log is the restored table and the copies are
those of the deployed stack. The stack's peppers are in the variable PEPPERS
(kid:base64, the current one first) or in --peppers-file. Credentials and region
are found as AWS's own tools find them. Otherwise the log and the copies are in
the data folder DIR, which no server may use meanwhile.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.withLogAndCopies(c, e, (*sourceFlags).openFolder, func(s *source) error { return s.reapply(c.Context(), e) })
		},
	}
	f.addCopies(c)
	f.addLog(c)
	return c
}

// reapply revokes for every copied revocation, however old it is: a token that
// was revoked once must never be live again. A refused copy or a damaged stream
// does not stop the others. In a folder it notes the events that the store does not
// have as superseded, after their revocations are applied.
func (s *source) reapply(ctx context.Context, e *console.Env) error {
	r := &reapplication{source: s, env: e, issuer: issuer.New(issuer.Config{Store: s.log, Keys: s.keys}), at: time.Now()}
	for _, f := range s.faults {
		if s.file != nil && f.Kind == audit.Differs {
			continue // the line is one of eachLine
		}
		if err := r.printRefused(f.ID, errors.New(f.Detail)); err != nil {
			return err
		}
	}
	for _, stream := range s.streams {
		if err := r.stream(ctx, stream); err != nil {
			return err
		}
	}
	if r.noted > 0 {
		if err := s.superseded.Write(s.folder.Dir, s.keys); err != nil {
			return err
		}
	}
	return r.failure()
}

// reapplication is one run of reapply.
type reapplication struct {
	*source
	env     *console.Env
	issuer  *issuer.Issuer
	at      time.Time
	refused int // copies
	failed  int // streams
	noted   int // events that became superseded, or are no longer
}

// stream reapplies one stream. If the copies cannot be read to their end, it
// still revokes for those that it has read. It returns an error only if the
// whole run must end.
func (r *reapplication) stream(ctx context.Context, stream events.Stream) error {
	found, err := r.read(ctx, stream)
	if owner, ok := stream.Owner(); ok {
		again, what := r.issuer.RevokeAgain, "token %s is revoked again"
		if stream.Kind() == events.SessionStreams {
			again, what = r.issuer.CloseAgain, "session %s is closed again"
		}
		ended, rerr := again(ctx, owner, found.revoked)
		for _, id := range ended {
			if perr := r.print("%s: "+what, stream, id); perr != nil {
				return perr
			}
		}
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("revoking again: %w", rerr))
		}
	}
	if err == nil && r.folder != nil {
		err = r.note(ctx, stream, found.events)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	r.failed++
	return r.print("%s: failed: %s", stream, oneLine(err.Error()))
}

// verified is what the verified copies of a stream say.
type verified struct {
	revoked map[string]bool // the ids of revoked tokens, or of closed sessions
	events  []copied        // only in a folder: those with a right MAC, also if the chain is broken before them
}

// copied names one content of an event, and what it is about.
type copied struct {
	seq           uint64
	hash          events.Hash
	kind, subject string
	at            time.Time
	revokes       bool
	suspends      bool
	reinstates    bool
}

// read verifies the copies of a stream. It prints the copies that it refuses.
func (r *reapplication) read(ctx context.Context, stream events.Stream) (verified, error) {
	v, check := verified{revoked: map[string]bool{}}, copyCheck{keys: r.keys, stream: stream}
	err := r.eachLine(ctx, stream, func(m events.Message) error {
		refusal := check.next(m)
		c := copied{seq: m.Seq, hash: m.Hash, kind: m.Type, subject: events.Record{Public: m.Data}.Subject(), at: m.Time}
		c.suspends, c.reinstates = m.Is(events.UserSuspended{}), m.Is(events.UserReinstated{})
		if c.revokes = (m.Is(events.TokenRevoked{}) || m.Is(events.SessionClosed{})) && refusal == nil; c.revokes {
			v.revoked[c.subject] = true
		}
		if r.folder != nil && m.Stream == stream && m.CheckMAC(r.keys) == nil {
			v.events = append(v.events, c)
		}
		if refusal != nil {
			return r.printRefused(fmt.Sprintf("%s/%d", stream, m.Seq), refusal)
		}
		return nil
	})
	return v, err
}

func (r *reapplication) printRefused(id string, reason error) error {
	r.refused++
	return r.print("%s: refused: %s", id, oneLine(reason.Error()))
}

func (r *reapplication) print(format string, args ...any) error {
	_, err := fmt.Fprintf(r.env.Out, "%s\n", console.Plain(fmt.Sprintf(format, args...)))
	return err
}

// failure is the error of a run that refused a copy or could not finish a
// stream.
func (r *reapplication) failure() error {
	if r.refused == 0 && r.failed == 0 {
		return nil
	}
	err := fmt.Errorf("%d copies were refused and %d streams failed: find out who wrote them, and revoke the tokens of refused revocations by hand", r.refused, r.failed)
	if r.failed == 0 {
		return &refusedError{err}
	}
	return err
}

// errRefusedCopies marks the error of a run that refused copies and did all else.
var errRefusedCopies = errors.New("copies were refused")

type refusedError struct{ error }

func (e *refusedError) Is(target error) bool { return target == errRefusedCopies }

// oneLine joins the lines of a text, so that it is one line of the output.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
