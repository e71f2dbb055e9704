package oci

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// option is an option of one command. It is a flag, and a key of --from-json.
type option struct {
	name, usage string
	required    bool
	isSwitch    bool // true or false in --from-json, and not in the generated JSON
}

// command is one command: what its user gave, and what errors say about it.
type command struct {
	access.Flags
	output
	env       *console.Env
	cobra     *cobra.Command
	options   []option
	operation string // the name of the call in errors, like create_auth_token
	method    string // of the HTTP request, for errors
	base      string // the address of the service; "": no call was made yet

	fromJSON, profile, configFile string
	generate                      bool
}

// build adds the flags to the command and makes it run do. do is called when all
// required options are there. build's order of the options is that of the error about
// missing options.
func (c *command) build(e *console.Env, do func(ctx context.Context) error) *cobra.Command {
	c.env = e
	c.cobra.Args = func(cc *cobra.Command, args []string) error {
		if len(args) > 0 {
			return show(e, wrongUse(cc, "", "Got unexpected extra argument."))
		}
		return nil
	}
	c.cobra.RunE = func(cc *cobra.Command, _ []string) error { return c.show(c.run(cc.Context(), do)) }
	f := c.cobra.Flags()
	f.SetNormalizeFunc(ociName)
	for _, o := range c.options {
		if o.isSwitch {
			f.Bool(o.name, false, o.usage)
		} else {
			f.String(o.name, "", o.usage)
		}
	}
	f.StringVar(&c.fromJSON, "from-json", "", "read options from a JSON object, as file://PATH; an option on the command line wins")
	f.BoolVar(&c.generate, "generate-full-command-json-input", false, "print JSON for --from-json, and do nothing else")
	f.StringVar(&c.profile, "profile", "", "take the endpoint and the token_file from this section of the config file (with --config-file: "+defaultProfile+")")
	f.StringVar(&c.configFile, "config-file", "", "the file with the profiles (with --profile: "+defaultConfig+")")
	c.output.add(c.cobra)
	c.Flags.Add(c.cobra)
	return c.cobra
}

func (c *command) run(ctx context.Context, do func(ctx context.Context) error) error {
	if c.generate {
		return c.printSkeleton()
	}
	if err := c.output.check(c.cobra); err != nil {
		return err
	}
	if err := c.readJSON(); err != nil {
		return err
	}
	if missing := c.missing(); missing != "" {
		return &failure{text: usageLine(c.cobra, "") + "Error: Missing option(s) " + missing + ".", code: console.ExitFailed}
	}
	return do(ctx)
}

func (c *command) missing() string {
	var names []string
	for _, o := range c.options {
		if o.required && !c.given(o.name) {
			names = append(names, "--"+o.name)
		}
	}
	return strings.Join(names, ", ")
}

func (c *command) given(option string) bool { return c.cobra.Flags().Changed(option) }

func (c *command) value(option string) string { return c.cobra.Flags().Lookup(option).Value.String() }

// client returns a client that sends the caller's token.
func (c *command) client(ctx context.Context) (*httpapi.Client, error) {
	if err := c.useProfile(); err != nil {
		return nil, err
	}
	base, hc, err := c.Endpoint(c.env)
	if err != nil {
		return nil, err
	}
	token, err := c.Token(ctx, c.env)
	if err != nil {
		return nil, err
	}
	c.base = base
	return httpapi.NewClient(base, token, hc), nil
}
