package cli

import (
	"strings"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/name"
)

// userForms are the forms of USER, for help texts.
const userForms = `USER is NAME, local:NAME, ad:NAME, DOMAIN:NAME, auth_id:N, uid:N, oidc:ALIAS:ID or a SID.`

// userFrom reads the one argument USER. The error does not quote a whole token, which
// the user may have pasted.
func userFrom(args []string) (string, error) {
	if len(args) != 1 {
		return "", console.Usagef("give exactly one user, as an argument")
	}
	if console.WholeToken.MatchString(args[0]) {
		return "", console.Usagef("the user is a whole token: give the name of a user. Your shell's history may now contain the token; revoke the token if others can read that history")
	}
	if _, err := name.OwnerKey(args[0]); err != nil {
		return "", console.Usagef("the user: %s", err)
	}
	return args[0], nil
}

// userToSet is userFrom for a command that changes a value with --set. Its error for a
// second argument names that flag, because the user meant to change the value.
func userToSet(command string, args []string) (string, error) {
	if len(args) == 2 {
		return "", console.Usagef("give exactly one user, as an argument, and the new value with --set; see %s --help", command)
	}
	return userFrom(args)
}

// words are the parts of a list with commas, none for the word none.
func words(text string) []string {
	if text == none {
		return []string{}
	}
	all := strings.Split(text, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}
