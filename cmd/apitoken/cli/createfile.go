package cli

import (
	"context"
	"fmt"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/functions/httpapi"
)

func (o *create) checkOutput(given func(flag string) bool) error {
	switch err := console.CheckOutput(o.output, "text", "json", "token"); {
	case err != nil:
		return err
	case given("out") && o.out == "":
		return console.Usagef("--out is empty; give the path of a new file")
	case given("out") && o.output == "token":
		return console.Usagef("--out writes the token into a file, and --output token prints it; give one of them")
	}
	return nil
}

// prepare reserves the file of --out before the token exists, so that a file that
// cannot be written loses no token. It returns nil for no file.
func (o *create) prepare() (*datadir.TokenTarget, error) {
	if o.out == "" {
		return nil, nil
	}
	return datadir.NewTokenTarget(o.out)
}

// finish gives the new token to the user: into the file, or to standard output.
func (o *create) finish(e *console.Env, file *datadir.TokenTarget, made httpapi.Created) error {
	if file != nil {
		if err := file.Write(made.BearerToken.Reveal()); err != nil {
			return fmt.Errorf("token %s was created, but its file was not written (revoke this token and create another): %w", made.ID, err)
		}
	}
	err := o.print(e, made)
	switch {
	case err == nil:
		return nil
	case file == nil:
		return fmt.Errorf("printing the new token %s (revoke this token and create another): %w", made.ID, err)
	}
	return fmt.Errorf("token %s was created and is in %s, but this was not printed: %w", made.ID, o.out, err)
}

// AnnounceTime is how long a command waits to learn whether the owner is new. Tests wait
// longer.
var AnnounceTime = 5 * time.Second

// announceFirst says that the owner of a new token had none before: the user may have
// mistyped the name. It says nothing if the caller may not see the owner's tokens.
func announceFirst(ctx context.Context, e *console.Env, client *httpapi.Client, made httpapi.Created) {
	ctx, cancel := context.WithTimeout(ctx, AnnounceTime)
	defer cancel()
	owner := ownerOf(made.User)
	page, err := client.List(ctx, httpapi.ListQuery{User: owner, States: allStates, Limit: 2})
	if err == nil && len(page.Entries) == 1 && page.Entries[0].ID == made.ID {
		e.Messagef("this is the first token of %s; if you expected others, check the name", owner)
	}
}

// allStates are the states of --state, those of ended tokens too.
var allStates = []string{"active", "disabled", "expired", "revoked"}
