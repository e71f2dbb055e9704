package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/events"
	"apitoken/events/issuer"
)

func newAuditReapply(e *env) *cobra.Command {
	var f sourceFlags
	c := &cobra.Command{
		Use:   "reapply",
		Short: "Revoke again, in a restored log, every token that the copies show as revoked",
		Long: `Revoke again, in a restored log, every token that the copies show as revoked. A
log that was restored to an earlier time accepts tokens that were revoked later.
Prints a line for each token that it revokes. No other process may use the log
meanwhile. After an interruption the command may be run again.

Other later events are not brought back. Tokens that were created later are
refused, and settings and permissions are those of the earlier time.

With --table and --audit-table the log is the restored table and the copies are
those of the deployed stack. The stack's peppers are in the variable PEPPERS
(kid:base64, the current one first) or in --peppers-file. Credentials and region
are found as AWS's own tools find them. Otherwise the log and the copies are in
the data folder DIR, which no server may use meanwhile.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.withLogAndCopies(c, e, func(s *source) error { return s.reapply(c.Context(), e) })
		},
	}
	f.addCopies(c)
	f.addLog(c)
	return c
}

// reapply revokes for every copied revocation, however old it is: a token that
// was revoked once must never be live again.
func (s *source) reapply(ctx context.Context, e *env) error {
	i := issuer.New(issuer.Config{Store: s.log, Keys: s.keys})
	for _, stream := range s.streams {
		owner, ok := stream.Owner()
		if !ok {
			continue
		}
		revoked, err := s.revoked(ctx, stream)
		if err != nil {
			return err
		}
		ended, err := i.RevokeAgain(ctx, owner, revoked)
		for _, id := range ended {
			if _, err := fmt.Fprintf(e.out, "%s: token %s is revoked again\n", plain(string(stream)), id); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("revoking again in stream %s: %w", stream, err)
		}
	}
	return nil
}

// revoked are the ids of a stream's tokens that its copies show as revoked.
func (s *source) revoked(ctx context.Context, stream events.Stream) (map[string]bool, error) {
	ids := map[string]bool{}
	err := s.eachCopy(ctx, stream, func(m events.Message) error {
		if m.Is(events.TokenRevoked{}) {
			ids[m.Subject] = true
		}
		return nil
	})
	return ids, err
}
