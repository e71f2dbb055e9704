package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
)

func newAuditReapply(w *env) *cobra.Command {
	var o archive
	c := &cobra.Command{
		Use:   "reapply",
		Short: "Revoke again, in a restored log, what the copies say was revoked",
		Long: `Revoke again, in a restored log, what the copies say was revoked: a log that is
put back to an earlier time has tokens live that were revoked since. Prints a
line for each token that it revokes. Nobody else may use the log until it is
through; after it was cut short it may be run again.

What else happened since is not brought back: tokens that were made are refused,
and settings and permissions are those of the earlier time.

With --table and --audit-table the log is the restored table and the copies are
those of the deployed stack. Its peppers come by the variable PEPPERS
(kid:base64, the current one first) or by --peppers-file, credentials and region
as AWS's own tools have them. Otherwise both are in the data folder DIR, which no
server may be using meanwhile.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.both(c, w, func(a *opened) error { return a.reapply(c.Context(), w) })
		},
	}
	o.add(c)
	o.addLog(c)
	return c
}

// reapply takes all revocations there are copies of and not only the young
// ones: what was revoked once is never live again.
func (a *opened) reapply(ctx context.Context, w *env) error {
	g := guard.New(guard.Config{Views: a.log, Uses: a.log, Keys: a.keys})
	i := issuer.New(issuer.Config{Store: a.log, Guard: g, Keys: a.keys})
	for _, s := range a.streams {
		owner, ok := s.Owner()
		if !ok {
			continue
		}
		revoked, err := a.revoked(ctx, s)
		if err != nil {
			return err
		}
		ended, err := i.RevokeAgain(ctx, owner, revoked)
		for _, id := range ended {
			if _, err := fmt.Fprintf(w.out, "%s: token %s is revoked again\n", plain(string(s)), id); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("revoking again in stream %s: %w", s, err)
		}
	}
	return nil
}

// revoked are the tokens of a stream that were revoked, by its copies.
func (a *opened) revoked(ctx context.Context, s events.Stream) (map[string]bool, error) {
	ids := map[string]bool{}
	for after := uint64(0); ; {
		ms, err := a.copies.Copy(ctx, s, after, exportPage)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			if m.Type == "TokenRevoked" {
				ids[m.Subject] = true
			}
			after = m.Seq
		}
		if len(ms) < exportPage {
			return ids, nil
		}
	}
}
