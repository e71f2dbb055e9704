package cli

import (
	"github.com/spf13/cobra"

	"apitoken/events/secret"
)

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "apitoken",
		Short: "Issue, list, show and revoke API tokens, and serve the API that does so",
		Long: `Issue, list, show and revoke API tokens, and serve the API that does so.

A first token in three commands:

  apitoken serve &
  export APITOKEN_TOKEN_FILE=.apitoken/admin.token
  apitoken create --name first --expiry-date 30D

The commands that call a service read these variables:

  APITOKEN_URL         its address, http://127.0.0.1:8080 if unset
  APITOKEN_TOKEN_FILE  a file (mode 0600) with the token to call it with
  APITOKEN_TOKEN       that token itself
  APITOKEN_CA_FILE     certificates to trust besides the system's`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			e.started = true
		},
	}
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.AddCommand(
		newServe(e), newBootstrap(e),
		newCreate(e), newList(e), newShow(e), newRevoke(e), newHistory(e), newWhoAmI(e), newAudit(e), newVersion(e),
	)
	return root
}

// noArgs refuses arguments without repeating them: one may be a token.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument besides its flags; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// oneID takes a token's id as the argument or as the flag --id, for both are
// in people's fingers.
type oneID struct{ flag string }

func (o *oneID) add(c *cobra.Command) {
	c.Flags().StringVar(&o.flag, "id", "", "the token's id, as another way to give it")
}

func (o *oneID) from(args []string) (string, error) {
	given := args
	if o.flag != "" {
		given = append(given[:len(given):len(given)], o.flag)
	}
	if len(given) != 1 {
		return "", usagef("give one token id: its 8 characters, as argument or with --id")
	}
	return checkID(given[0])
}

// checkID refuses what cannot be an id before it goes anywhere: people paste
// whole tokens, and a path with one ends up in the logs of every proxy.
func checkID(id string) (string, error) {
	if wholeToken.MatchString(id) {
		return "", usagef("that is a whole token, where its id is wanted: the 8 characters before the dot. Your shell's history may hold it now, so revoke it if others can read that")
	}
	if !secret.IsID(id) {
		return "", usagef("a token's id has 8 letters and digits")
	}
	return id, nil
}
