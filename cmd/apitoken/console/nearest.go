package console

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// synonyms are flags of other programs, with the flags of ours that mean the same.
var synonyms = map[string][]string{
	"owner":              {"user", "username", "user-name", "for"},
	"user-id":            {"user", "owner"},
	"expiration-timeout": {"max-lifetime", "lifetime", "default-lifetime", "ttl", "max-ttl", "expiry", "pwd-expiration-timeout"},
	"expiry-date":        {"ttl", "expires", "expires-in", "expires-at", "expiry", "expiration", "expiration-time", "lifetime", "days"},
	"token-file":         {"token", "bearer", "auth", "api-token", "password"},
	"url":                {"endpoint", "host", "address", "server", "base-url"},
	"ca-file":            {"ca", "cacert", "cafile", "ca-cert", "ca-bundle"},
	"output":             {"format", "json", "csv", "output-format"},
	"unused-for":         {"unused", "idle", "never-used", "inactive"},
	"grace":              {"overlap", "keep", "grace-period", "rotation-grace"},
	"set":                {"view", "create", "edit", "delete", "add", "grant", "value", "limit", "max", "permissions"},
	"token-limit":        {"limit", "max-tokens", "max-tokens-per-user", "max-api-tokens-per-user"},
	"listen":             {"port", "address", "bind", "host"},
	"data":               {"dir", "data-dir", "folder", "db"},
	"description":        {"comment", "note"},
	"out":                {"file", "output-file"},
	"write-to":           {"out", "file", "output-file"},
	"archived":           {"all", "revoked"},
	"scope":              {"scopes", "permission", "permissions"},
	"source-ip":          {"source-ips", "ip", "cidr"},
}

// otherNames are commands of other programs, with the commands of ours that do the same.
var otherNames = map[string][]string{
	"create":      {"new", "add", "issue", "generate", "mint"},
	"list":        {"ls", "tokens"},
	"show":        {"get", "describe", "read"},
	"update":      {"edit", "change", "set", "rename"},
	"revoke":      {"delete", "remove", "rm"},
	"rotate":      {"renew", "refresh", "regenerate"},
	"whoami":      {"me", "who-am-i"},
	"serve":       {"server", "run", "start"},
	"verify":      {"check"},
	"settings":    {"configure", "setting", "lifetime"},
	"context":     {"profile", "profiles"},
	"login":       {"signin", "sign-in", "auth"},
	"logout":      {"signout", "sign-out"},
	"permissions": {"grant", "allow", "role", "roles"},
	"limit":       {"quota"},
	"suspend":     {"block", "lock"},
}

// maxDistance is the largest number of typing errors in a suggestion for a word. In a
// short word, two errors leave too little: --all would become --url.
func maxDistance(typed string) int { return min(2, len(typed)/2) }

// plainWord matches the form of flags and commands. Other words are not quoted: they
// may be a part of a secret.
var plainWord = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// quote returns a space and the quoted word for an error, or "" if the word may be
// a secret.
func quote(prefix, word string) string {
	if !plainWord.MatchString(word) {
		return ""
	}
	return " " + prefix + word
}

// nearestFlag returns the flag of c that the user probably meant, "" if none is near.
func nearestFlag(c *cobra.Command, typed string) string {
	scratch := &cobra.Command{}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			scratch.AddCommand(&cobra.Command{Use: f.Name, SuggestFor: synonyms[f.Name], Run: func(*cobra.Command, []string) {}})
		}
	})
	return nearest(scratch, typed)
}

// nearest returns the name of the command below c that the user probably meant: with
// the fewest typing errors, a beginning of it, or one of its SuggestFor.
func nearest(c *cobra.Command, typed string) string {
	if typed == "" {
		return ""
	}
	defer func(before int) { c.SuggestionsMinimumDistance = before }(c.SuggestionsMinimumDistance)
	for c.SuggestionsMinimumDistance = 0; c.SuggestionsMinimumDistance <= maxDistance(typed); c.SuggestionsMinimumDistance++ {
		if found := c.SuggestionsFor(typed); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

// didYouMean is the middle of an error about an unknown name.
func didYouMean(prefix, name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s%s?", prefix, name)
}
