package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/doctor"
	"apitoken/cmd/apitoken/oci"
	"apitoken/cmd/apitoken/operator"
	"apitoken/events/secret"
)

func newRoot(e *console.Env) *cobra.Command {
	root := &cobra.Command{
		Use:     "apitoken",
		Version: ownVersion(),
		Short:   "Issue, list, show, change and revoke API tokens, and serve the API that does so",
		Long: `Issue, list, show, change and revoke API tokens, and serve the API that does so.

A first token: start the service in one terminal. It prints "listening on".

  apitoken serve

Then, in the same folder in a second terminal:

  export APITOKEN_TOKEN_FILE=.apitoken/admin.token
  apitoken create --name first --expiry-date 30D

The commands that call a service read these variables:

  APITOKEN_URL         the address of the service (default http://127.0.0.1:8080)
  APITOKEN_TOKEN_FILE  a file (mode 0600) that contains your token
  APITOKEN_TOKEN       your token itself; set only one of these two
  APITOKEN_TOKEN_FILE_SHARED
                       1 to accept a token file that other users can read, if
                       you cannot change it: an orchestrator mounts it
  APITOKEN_CA_FILE     PEM certificates to trust in addition to the system's
  APITOKEN_CONTEXT     the name of a context, which has address, token and
                       certificates; see apitoken context --help

The exit codes:

` + console.ExitCodes,
	}
	root.AddCommand(newContext(e), newLogin(e), newLogout(e), newSessions(e), doctor.New(e))
	root.AddCommand(
		newServe(e), newConfig(e), operator.NewBootstrap(e), operator.NewTable(e), operator.NewPeppers(e), operator.NewBackup(e), operator.NewRestore(e),
		newCreate(e), newList(e), newShow(e), newUpdate(e), newModify(e), newEnable(e), newDisable(e), newRotate(e), newRevoke(e), newHistory(e), newWhoAmI(e), operator.NewAudit(e), newVersion(e), newHealth(e),
		newSettings(e), newPermissions(e), newGroups(e), newLimit(e), newSuspension(e), newSuspend(e), newReinstate(e), newOffboard(e),
		newVMS(e), oci.NewIAM(e),
	)
	addCompletion(e, root)
	access.CompleteContexts(root, e)
	return root
}

// self is the id that names the token of the call itself.
const self = "self"

// checkAnswered refuses an answer of another service, whose text would become a
// part of the next request.
func checkAnswered(id string) (string, error) {
	if !secret.IsID(id) {
		return "", errors.New("the answer has no valid token id; check the address of the service")
	}
	return id, nil
}

// oneID reads a token id, or self, from the argument or from the flag --id. Users
// of other command lines are used to both.
type oneID struct{ flag string }

func (o *oneID) add(c *cobra.Command) {
	c.Flags().StringVar(&o.flag, "id", "", "the token's id, or self, in place of the argument ID")
}

func (o *oneID) from(args []string) (string, error) {
	given := args
	if o.flag != "" {
		given = append(given[:len(given):len(given)], o.flag)
	}
	if len(given) != 1 {
		return "", console.Usagef("give exactly one token id (8 characters, or self for the token that you use), as an argument or with --id")
	}
	return checkID(given[0])
}

// checkID refuses a text that is not a token id before it is sent. Users paste
// whole tokens, and proxies write the paths of requests into their logs.
func checkID(id string) (string, error) {
	if console.WholeToken.MatchString(id) {
		return "", console.Usagef("the token id is a whole token: give only the 8 characters before the dot. Your shell's history may now contain the token; revoke the token if others can read that history")
	}
	if id != self && !secret.IsID(id) {
		return "", console.Usagef("the token id is invalid: it must have exactly 8 characters, letters or digits, or be self for the token that you use")
	}
	return id, nil
}
