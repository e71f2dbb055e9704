package console

import "github.com/spf13/cobra"

// Prepare adds the commands help and completion to root. It gives all commands the
// same errors for unknown flags and unknown commands. Run calls it.
func Prepare(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil && help != root {
		help.Args = helpArgs
	}
	group(root)
}

// group makes each command that only has other commands print its help, and refuse
// the names of others, unless the command has its own check of its arguments.
func group(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	if c.Args == nil || c.Name() == "completion" {
		c.Args = groupArgs
	}
	if !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range c.Commands() {
		if sub.Example == "" && c.Name() == "completion" {
			sub.Example = "  apitoken completion " + sub.Name() + " >apitoken." + sub.Name()
		}
		sub.SuggestFor = append(sub.SuggestFor, otherNames[sub.Name()]...)
		group(sub)
	}
}

func groupArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	return nil
}

func helpArgs(c *cobra.Command, args []string) error {
	found, rest, err := c.Root().Find(args)
	if err == nil && len(rest) > 0 {
		return unknownCommand(found, rest[0])
	}
	return err
}

func unknownCommand(c *cobra.Command, typed string) error {
	near := didYouMean(c.CommandPath()+" ", nearest(c, typed))
	if near == "" {
		near = ";"
	}
	return Usagef("unknown command%s%s see %s --help", quote("", typed), near, c.CommandPath())
}
