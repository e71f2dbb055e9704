package oci

import (
	"strings"

	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/name"
	"apitoken/events/secret"
)

// ociName gives the flags that other commands of apitoken have too the names of OCI.
// Both names work.
func ociName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "url":
		return "endpoint"
	case "ca-file":
		return "cert-bundle"
	}
	return pflag.NormalizedName(name)
}

// camelCase is the key of an option in --from-json.
func camelCase(option string) string {
	words := strings.Split(option, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// text is the value of an option that must not be blank. A whole token is refused:
// proxies write the paths of requests into their logs.
func (c *command) text(option string) (string, error) {
	value := c.value(option)
	switch {
	case strings.TrimSpace(value) == "":
		return "", usageErrorf("Parameter --%s cannot be whitespace or empty string", option)
	case console.WholeToken.MatchString(value):
		return "", usageErrorf("Parameter --%s contains a whole token: your shell's history may now contain it; revoke the token if others can read that history", option)
	}
	return value, nil
}

// owner is the user that an option names, with the user's owner key.
func (c *command) owner(option string) (name.Identity, string, error) {
	text, err := c.text(option)
	if err != nil {
		return name.Identity{}, "", err
	}
	user, err := name.ParseIdentity(text)
	if err != nil {
		return user, "", usageErrorf("Parameter --%s: %s", option, err)
	}
	key, err := user.Key()
	if err != nil {
		return user, "", usageErrorf("Parameter --%s: %s", option, err)
	}
	return user, key, nil
}

// tokenID is the token that --auth-token-id names.
func (c *command) tokenID() (string, error) {
	id, err := c.text("auth-token-id")
	if err == nil && !secret.IsID(id) {
		return "", usageErrorf("Parameter --auth-token-id must have exactly 8 characters, letters or digits")
	}
	return id, err
}

// ifMatch is --if-match in the form of the header, "" if the option is not given. An
// etag is printed without its quotes.
func (c *command) ifMatch() (string, error) {
	if !c.given("if-match") {
		return "", nil
	}
	tag, err := c.text("if-match")
	if err == nil && strings.Trim(tag, "0123456789") == "" {
		return `"` + tag + `"`, nil
	}
	return tag, err
}
