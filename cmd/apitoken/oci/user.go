package oci

import (
	"context"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

func newUserCreate(e *console.Env) *cobra.Command {
	c := &command{
		cobra: &cobra.Command{
			Use:   "create",
			Short: "Print the owner key of a user; nothing is stored",
			Long: `Print the owner key of a user as data.id, for --user-id of other commands. Users
need no creation here: nothing is stored, and no service is called. The command is
there for scripts that create a user first.`,
			Example: `  apitoken iam user create --name ann --description Ann --query data.id --raw-output`,
		},
		options: []option{
			{name: "name", usage: "the name of the user, as `OWNER` in other commands", required: true},
			{name: "description", usage: "accepted, as in oci; it is only printed", required: true},
			{name: "compartment-id", usage: "accepted, as in oci; it is only printed"},
		},
		operation: "create_user",
	}
	return c.build(e, c.createUser)
}

func (c *command) createUser(context.Context) error {
	_, key, err := c.owner("name")
	if err != nil {
		return err
	}
	c.env.Messagef("apitoken: users need no creation, so nothing was stored; data.id is the owner key of the user")
	data := map[string]any{
		"compartment-id":  orNull(c.value("compartment-id")),
		"description":     c.value("description"),
		"id":              key,
		"lifecycle-state": "ACTIVE",
		"name":            c.value("name"),
	}
	for _, unknown := range []string{
		"capabilities", "db-user-name", "defined-tags", "email", "email-verified", "external-identifier",
		"freeform-tags", "identity-provider-id", "inactive-status", "is-mfa-activated",
		"last-successful-login-time", "previous-successful-login-time", "time-created",
	} {
		data[unknown] = nil
	}
	return c.print(c.env, answer{"data": data})
}
