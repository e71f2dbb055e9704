package cli

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// CompletionTime is how long a shell waits for ids and owners. Tests wait longer.
var CompletionTime = 2 * time.Second

// maxShown is the maximum number of characters of a name beside an id.
const maxShown = 40

// addCompletion makes the commands below c complete ids and owners with those of the
// service. Arguments of other kinds complete nothing, and not the names of files.
func addCompletion(e *console.Env, c *cobra.Command) {
	for _, sub := range c.Commands() {
		addCompletion(e, sub)
	}
	if c.HasSubCommands() {
		return
	}
	ids, owners := idsOf(e, c), ownersOf(e, c)
	if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = firstArgument(c, map[string]cobra.CompletionFunc{"ID": ids, "USER": owners})
	}
	if c.Flags().Lookup("url") == nil {
		return // the command calls no service
	}
	for flag, f := range map[string]cobra.CompletionFunc{"id": ids, "auth-token-id": ids, "owner": owners, "creator": owners, "user-id": owners} {
		if c.Flags().Lookup(flag) != nil {
			c.RegisterFlagCompletionFunc(flag, f) // an error says that the command has its own function
		}
	}
}

// firstArgument completes the one argument that the command's line of usage names.
func firstArgument(c *cobra.Command, functions map[string]cobra.CompletionFunc) cobra.CompletionFunc {
	words := append(strings.Fields(c.Use), "")
	f, ok := functions[words[1]]
	if !ok {
		return cobra.NoFileCompletions
	}
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(c, args, typed)
	}
}

// idsOf completes the ids of live tokens, for enable of disabled ones, with their
// names and owners.
func idsOf(e *console.Env, c *cobra.Command) cobra.CompletionFunc {
	var states []string
	if c.Name() == "enable" {
		states = []string{"disabled"}
	}
	return func(c *cobra.Command, _ []string, typed string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		for _, t := range listed(e, c, states) {
			if secret.IsID(t.ID) && strings.HasPrefix(t.ID, typed) {
				all = append(all, cobra.CompletionWithDesc(t.ID, shown(t.Name+" of "+ownerOf(t.User))))
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// ownersOf completes the owners of live tokens. It leaves out owners that a shell
// would need quotes for.
func ownersOf(e *console.Env, _ *cobra.Command) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, typed string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		for _, t := range listed(e, c, nil) {
			if owner := ownerOf(t.User); plainArgument(owner) && strings.HasPrefix(owner, typed) {
				all = append(all, owner)
			}
		}
		slices.Sort(all)
		return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
	}
}

// plainArgument reports whether every shell reads the text as one word that is no
// flag. What a service returns becomes a part of the user's command line.
func plainArgument(text string) bool {
	return text != "" && text[0] != '-' && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !harmless(r) })
}

// shown is a text of the service as a description: no shell gives its characters a
// meaning.
func shown(text string) string {
	plain := []rune(strings.Map(func(r rune) rune {
		if r == ' ' || harmless(r) {
			return r
		}
		return '_'
	}, text))
	return string(plain[:min(maxShown, len(plain))])
}

func harmless(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || (strings.ContainsRune("._@:+-", r) && r != utf8.RuneError)
}

// listed returns the tokens on the first page of the service that the command would
// call. It returns none for every error: the shell shows a prompt at this moment.
// It does not read standard input, which belongs to the shell, and sends nothing
// without a token, nor for a profile.
func listed(e *console.Env, c *cobra.Command, states []string) []httpapi.Entry {
	if hasProfile(c) {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), CompletionTime)
	defer cancel()
	answered := make(chan []httpapi.Entry, 1)
	go func() { answered <- fetchQuietly(ctx, e, c, states) }()
	select {
	case entries := <-answered:
		return entries
	case <-ctx.Done(): // a file with a token may be a pipe that does not end
		return nil
	}
}

func fetchQuietly(ctx context.Context, e *console.Env, c *cobra.Command, states []string) []httpapi.Entry {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil
	}
	defer null.Close()
	client, err := accessOf(c).Client(ctx, &console.Env{In: null, Out: io.Discard, Err: io.Discard, Getenv: e.Getenv})
	if err != nil {
		return nil
	}
	page, err := client.List(ctx, httpapi.ListQuery{States: states, Limit: maxPage})
	if err != nil {
		return nil
	}
	return page.Entries
}

// accessOf returns the flags that say how c calls the service, with the values that
// the user has typed. c may have its own names for the flags: iam has --endpoint for
// --url. A flag that got lost here would send the token to another address.
func accessOf(c *cobra.Command) *access.Flags {
	var a access.Flags
	own := &cobra.Command{}
	a.Add(own)
	own.Flags().VisitAll(func(f *pflag.Flag) {
		if typed := c.Flags().Lookup(f.Name); typed != nil && typed.Changed {
			own.Flags().Set(f.Name, typed.Value.String())
		}
	})
	return &a
}

// hasProfile reports whether a profile gives the address and the token: no other
// source knows its ids.
func hasProfile(c *cobra.Command) bool {
	return c.Flags().Changed("profile") || c.Flags().Changed("config-file")
}
