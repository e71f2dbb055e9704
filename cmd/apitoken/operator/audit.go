package operator

import (
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// NewAudit returns the command audit, with its commands.
func NewAudit(e *console.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify and repair the log, and export or reapply the copies of its events",
		Long: `Verify and repair the log, and export or reapply the copies of its events. Each
event is copied when it is published: on AWS into the audit table, which only one
function may write, and by serve into DIR/events.jsonl.`,
	}
	c.AddCommand(newAuditVerify(e), newAuditExport(e), newAuditReapply(e), newAuditRepair(e))
	return c
}
