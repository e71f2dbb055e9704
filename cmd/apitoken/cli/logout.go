package cli

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

func newLogout(e *console.Env) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "logout",
		Short: "End the session of a context, and remove its file",
		Long: `End the session of a context, and remove its file. The context stays for the next
sign-in. If the service cannot be reached, the file stays too: the session would
still work. The tokens that you made with the session stay.`,
		Example: `  apitoken logout
  apitoken logout --context prod`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("context") && name == "" {
				return console.Usagef("--context is empty; give a value, or leave the flag out")
			}
			return logout(c.Context(), e, name)
		},
	}
	c.Flags().StringVar(&name, "context", "", "the context with the session (default $APITOKEN_CONTEXT, then the current context)")
	return c
}

func logout(ctx context.Context, e *console.Env, name string) error {
	place, err := access.SignedIn(e, name)
	if err != nil {
		return err
	}
	session := place.Session()
	if session.Reveal() == "" {
		e.Messagef("the context %s has no session", place.Name)
		return place.Forget()
	}
	client, err := place.Client(e, session)
	if err != nil {
		return err
	}
	if err := endSession(ctx, client); err != nil {
		return access.Explain(err)
	}
	if err := place.Forget(); err != nil {
		return err
	}
	e.Messagef("the session of the context %s is ended, and %s is removed", place.Name, place.Context.TokenFile)
	return nil
}

// endSession ends the session of the client. A session that does not pass any more has
// ended already. A token is left as it is: somebody has put it into the file.
func endSession(ctx context.Context, client *httpapi.Client) error {
	own, err := client.GetSelf(ctx)
	if err == nil && own.Kind != sessionKind {
		return errors.New("the file has a token and no session; the token was not revoked")
	}
	if err == nil {
		err = client.RevokeSelf(ctx)
	}
	if p, refused := access.Refusal(err); refused && p.Status == http.StatusUnauthorized {
		return nil
	}
	return err
}

// sessionKind is the kind of a session in the answers of the service.
const sessionKind = "session"
