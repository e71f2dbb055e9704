package operator

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/infra/dynamo/chain"
	"apitoken/infra/dynamo/newtable"
)

// NewTable returns the command table, with its commands.
func NewTable(e *console.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "table",
		Short: "Create the DynamoDB table of a service without a stack",
	}
	c.AddCommand(newTableCreate(e))
	return c
}

type tableCreate struct{ protected bool }

func newTableCreate(e *console.Env) *cobra.Command {
	var o tableCreate
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a DynamoDB table as the stack of template.yaml has it",
		Long: `Create a DynamoDB table as the stack of template.yaml has it: with the same keys,
indexes, change stream, billing mode, encryption, time to live, point-in-time
recovery and deletion protection. The command waits until the table can be used and
its time to live is on. The table is empty: apitoken bootstrap --table NAME makes
the first token in it.

The command may be repeated. It never changes a table in use: if the table exists
and differs, the command names each difference and fails. It continues its own
interrupted work: in a table without items it switches on the time to live and the
point-in-time recovery, if they alone are off.

A service that is compatible with DynamoDB may lack point-in-time recovery, time to
live or deletion protection. The command then says what it left out, and succeeds.

Credentials, region and AWS_ENDPOINT_URL_DYNAMODB are read as by AWS's own tools. The
caller needs the rights dynamodb:DescribeTable, CreateTable, DescribeTimeToLive,
UpdateTimeToLive, DescribeContinuousBackups and UpdateContinuousBackups, and Scan to
continue interrupted work.`,
		Example: `  apitoken table create apitoken
  AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8021 apitoken table create trial --deletion-protection=false`,
		RunE: func(c *cobra.Command, args []string) error {
			name, err := tableName(args)
			if err != nil {
				return err
			}
			return o.run(c.Context(), e, name)
		},
	}
	c.Flags().BoolVar(&o.protected, "deletion-protection", true, "refuse the deletion of the table until its deletion protection is off")
	return c
}

// validTable is the rule of DynamoDB for names of tables (Developer Guide, "Naming
// rules and data types").
var validTable = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

func tableName(args []string) (string, error) {
	if len(args) != 1 {
		return "", console.Usagef("give exactly one name of a table; see apitoken table create --help")
	}
	if !validTable.MatchString(args[0]) {
		return "", console.Usagef("the name of the table is invalid: it must have 3 to 255 characters, only letters A to Z and a to z, digits, and the characters _ - .")
	}
	return args[0], nil
}

func (o *tableCreate) run(ctx context.Context, e *console.Env, name string) error {
	client, err := chain.Client(ctx)
	if err != nil {
		return err
	}
	result, err := newtable.Create(ctx, client, name, newtable.Options{
		Protected: o.protected, Waiting: func(text string) { e.Messagef("apitoken: %s", text) },
	})
	if err != nil {
		if ctx.Err() != nil {
			err = &console.UnknownOutcomeError{Err: err, Hint: fmt.Sprintf("table %s may exist without some settings; the same command continues the work", name)}
		}
		return err
	}
	if len(result.LeftOut) > 0 {
		e.Messagef("apitoken: left out, because the service does not have it: %s", strings.Join(result.LeftOut, ", "))
	}
	_, err = fmt.Fprintln(e.Out, created(name, result))
	return err
}

func created(name string, r newtable.Result) string {
	switch {
	case r.Made:
		return fmt.Sprintf("table %s was created", name)
	case len(r.Finished) > 0:
		return fmt.Sprintf("table %s existed without items; switched on: %s", name, strings.Join(r.Finished, ", "))
	}
	return fmt.Sprintf("table %s exists and has all settings of a new one; nothing was changed", name)
}
