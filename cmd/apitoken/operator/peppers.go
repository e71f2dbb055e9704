package operator

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/infra/stack"
)

type peppers struct{ stack, file string }

// NewPeppers returns the command peppers.
func NewPeppers(e *console.Env) *cobra.Command {
	var o peppers
	c := &cobra.Command{
		Use:   "peppers",
		Short: "Read the peppers of a deployed stack, for bootstrap and audit",
		Long: `Read the peppers of a deployed stack from Secrets Manager. The output
PepperSecrets of the stack names them. bootstrap --table, audit verify, audit
reapply and audit repair need them: in a file for --peppers-file, or in the
variable PEPPERS.

Peppers are secrets: with the table they are enough to forge tokens. The command
writes them into the file of --out (mode 0600), or to standard output, but never
to a terminal. Delete the file when you no longer need it. Credentials and region
are found as AWS's own tools find them; the caller needs the rights
cloudformation:DescribeStacks and secretsmanager:GetSecretValue.`,
		Example: `  apitoken peppers --stack apitoken --out peppers.txt
  apitoken audit verify --table TABLE --audit-table COPIES --peppers-file peppers.txt
  export PEPPERS="$(apitoken peppers --stack apitoken)"`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed("out")) },
	}
	c.Flags().StringVar(&o.stack, "stack", "", "the name or the ARN of the stack")
	c.Flags().StringVar(&o.file, "out", "", "write the peppers into this file (mode 0600) and do not print them")
	return c
}

// run prints the peppers only if --out is not given: the variable in --out "$FILE" may
// be unset.
func (o *peppers) run(ctx context.Context, e *console.Env, toFile bool) error {
	switch {
	case o.stack == "":
		return console.Usagef("--stack is not given: give the name of the stack, which is stack_name in samconfig.toml")
	case toFile && o.file == "":
		return console.Usagef("--out is empty; give the path of a file")
	case o.file == "" && console.IsTerminal(e.Out):
		return console.Usagef("standard output is a terminal, and peppers are secrets: give --out FILE, or use a pipe")
	}
	text, err := stack.Peppers(ctx, o.stack)
	if err != nil {
		return err
	}
	if o.file == "" {
		_, err = fmt.Fprintln(e.Out, text)
		return err
	}
	if err := datadir.WritePrivate(o.file, text); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "the peppers of stack %s are in %s\n", console.Plain(o.stack), console.Plain(o.file))
	return err
}
