package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
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
refused, and settings and permissions are those of the earlier time.

With --table and --audit-table the log is the restored table and the copies are
those of the deployed stack. The stack's peppers are in the variable PEPPERS
(kid:base64, the current one first) or in --peppers-file. Credentials and region
are found as AWS's own tools find them. Otherwise the log and the copies are in
the data folder DIR, which no server may use meanwhile.`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.withLogAndCopies(c, e, func(s *source) error { return s.reapply(c.Context(), e) })
		},
	}
	f.addCopies(c)
	f.addLog(c)
	return c
}

// reapply revokes for every copied revocation, however old it is: a token that
// was revoked once must never be live again. A refused copy or a damaged stream
// does not stop the others.
func (s *source) reapply(ctx context.Context, e *console.Env) error {
	r := &reapplication{source: s, env: e, issuer: issuer.New(issuer.Config{Store: s.log, Keys: s.keys})}
	for _, f := range s.faults {
		if err := r.printRefused(f.ID, errors.New(f.Detail)); err != nil {
			return err
		}
	}
	for _, stream := range s.streams {
		owner, ok := stream.Owner()
		if !ok {
			continue
		}
		if err := r.stream(ctx, stream, owner); err != nil {
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
	refused int // copies
	failed  int // streams
}

// stream reapplies one stream. If the copies cannot be read to their end, it
// still revokes for those that it has read. It returns an error only if the
// whole run must end.
func (r *reapplication) stream(ctx context.Context, stream events.Stream, owner string) error {
	revoked, err := r.revoked(ctx, stream)
	ended, rerr := r.issuer.RevokeAgain(ctx, owner, revoked)
	for _, id := range ended {
		if perr := r.print("%s: token %s is revoked again", stream, id); perr != nil {
			return perr
		}
	}
	if rerr != nil {
		rerr = fmt.Errorf("revoking again: %w", rerr)
	}
	err = errors.Join(err, rerr)
	if err == nil || ctx.Err() != nil {
		return err
	}
	r.failed++
	return r.print("%s: failed: %s", stream, oneLine(err.Error()))
}

// revoked are the ids of a stream's tokens that its verified copies show as
// revoked. It prints the copies that it refuses.
func (r *reapplication) revoked(ctx context.Context, stream events.Stream) (map[string]bool, error) {
	ids, check := map[string]bool{}, copyCheck{keys: r.keys, stream: stream}
	err := r.eachCopy(ctx, stream, func(m events.Message) error {
		if err := check.next(m); err != nil {
			return r.printRefused(fmt.Sprintf("%s/%d", stream, m.Seq), err)
		}
		if m.Is(events.TokenRevoked{}) {
			ids[events.Record{Public: m.Data}.Subject()] = true
		}
		return nil
	})
	return ids, err
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
	return fmt.Errorf("%d copies were refused and %d streams failed: find out who wrote them, and revoke the tokens of refused revocations by hand", r.refused, r.failed)
}

// oneLine joins the lines of a text, so that it is one line of the output.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
