package access

import (
	"strings"

	"apitoken/cmd/apitoken/console"
)

// Source says where the address, the token and the certificates of a call come from.
type Source struct {
	Context  string   // the name of the context; "": flags, variables and defaults
	ChosenBy string   // what chose the context, for messages
	Ignored  []string // variables that the flag --context outweighs

	URL   Part // never empty
	Token Part // Value is the path of a file, "-" for standard input, or "" for APITOKEN_TOKEN or no token
	CA    Part // Value is the path of a file; "": only the certificates of the system

	insecureHTTP, shared bool
	inline               string // the value of APITOKEN_TOKEN
}

// Part is one value of a source. From names the flag, the variable or the context
// that gives the value; "" is none of these.
type Part struct{ Value, From string }

// given has the names of the flags and variables that give an address, a token and a
// file with certificates; "" is none.
type given struct{ url, token, ca string }

// choice is a context that the user has chosen. by is --context or APITOKEN_CONTEXT, or
// "" for the current context.
type choice struct{ name, by string }

// useContext is the rule about sources: it reports whether a call uses the context. The
// zero choice is no context.
//
// Flags are stronger than variables, and variables are stronger than a context. The
// flag --context is a flag: it outweighs variables. But all of a call comes from one
// source, so flags and variables count only if they give both an address and a token.
// A part of them beside a context is an error.
func useContext(g given, c choice) (bool, error) {
	flags := g.names(isFlag)
	switch {
	case c.name == "":
		return false, nil
	case g == given{}:
		return true, nil
	case c.by == contextFlag && len(flags) > 0:
		return false, console.Usagef("--context and %s are both given: the address, the token and the certificates come from one source; give --context, or --url with --token-file", flags[0])
	case g.url == "" || g.token == "":
		return false, partial(g, c)
	}
	return c.by == contextFlag, nil
}

const contextFlag = "--context"

func anyName(string) bool { return true }

func isFlag(name string) bool { return strings.HasPrefix(name, "--") }

// names are the given names that match.
func (g given) names(match func(string) bool) (names []string) {
	for _, name := range []string{g.url, g.token, g.ca} {
		if name != "" && match(name) {
			names = append(names, name)
		}
	}
	return names
}

// partial is the error for flags and variables that are not complete beside a context.
func partial(g given, c choice) error {
	var missing []string
	if g.url == "" {
		missing = append(missing, "an address (--url or APITOKEN_URL)")
	}
	if g.token == "" {
		missing = append(missing, "a token (--token-file, APITOKEN_TOKEN_FILE or APITOKEN_TOKEN)")
	}
	names := strings.Join(g.names(anyName), " and ")
	return console.Usagef("%s is given without %s, but %s: the address, the token and the certificates come from one source; give what is missing, or leave out %s to use the context",
		names, strings.Join(missing, " and "), c, names)
}

// String says which context is chosen, and how.
func (c choice) String() string {
	if c.by == "" {
		return "the current context is " + c.name
	}
	return "the context " + c.name + " is chosen by " + c.by
}
