package cli

import "github.com/spf13/cobra"

func newAudit(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify and repair the log, and export or reapply the copies of its events",
		Long: `Verify and repair the log, and export or reapply the copies of its events. Each
event is copied when it is published: on AWS into the audit table, which only one
function may write, and by serve into DIR/events.jsonl.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		Args: noArgs,
	}
	c.AddCommand(newAuditVerify(e), newAuditExport(e), newAuditReapply(e), newAuditRepair(e))
	return c
}
