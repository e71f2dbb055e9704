// Package iamtest evaluates IAM policies as AWS documents. The tests of the
// authorizer's policies use it. It shares no code with the code under test.
package iamtest

import (
	"slices"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// Allows reports whether a policy allows an ARN: an explicit deny wins, then an
// allow; without either the call is denied.
func Allows(p lambdaevents.APIGatewayCustomAuthorizerPolicy, arn string) bool {
	allowed := false
	for _, s := range p.Statement {
		if !slices.Equal(s.Action, []string{"execute-api:Invoke"}) {
			continue
		}
		if slices.ContainsFunc(s.Resource, func(pattern string) bool { return matches(pattern, arn) }) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = allowed || s.Effect == "Allow"
		}
	}
	return allowed
}

// matches matches as IAM does: "*" matches any characters, slashes and colons
// included; "?" matches any one character; ${*}, ${?} and ${$} match the character
// between the braces.
func matches(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case strings.HasPrefix(pattern, "${") && len(pattern) > 3 && pattern[3] == '}':
		return strings.HasPrefix(text, pattern[2:3]) && matches(pattern[4:], text[1:])
	case pattern[0] == '*':
		return matches(pattern[1:], text) || text != "" && matches(pattern, text[1:])
	case text == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && matches(pattern[1:], text[1:])
}
