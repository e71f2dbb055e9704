package roletest

import (
	"slices"

	"apitoken/infra/sam/template"
)

// holds reports whether all conditions of a statement hold for the call.
func holds(condition any, c Call) bool {
	operators, _ := condition.(template.Object)
	for operator, block := range operators {
		keys, _ := block.(template.Object)
		for key, wanted := range keys {
			if !compare(operator, c.values(key), texts(wanted)) {
				return false
			}
		}
	}
	return true
}

// values returns the values of a condition key, none if the request has no such
// key.
func (c Call) values(key string) []string {
	switch key {
	case "dynamodb:LeadingKeys":
		return c.Keys
	case "dynamodb:Attributes":
		return c.Attributes
	case "dynamodb:Select":
		if c.Select != "" {
			return []string{c.Select}
		}
	case "dynamodb:ReturnValues":
		if c.ReturnValues != "" {
			return []string{c.ReturnValues}
		}
	}
	return nil
}

// compare evaluates one operator. ForAllValues is true for a request without the
// key, and so are the operators that end in IfExists. Null "false" asks for the
// key.
func compare(operator string, values, wanted []string) bool {
	switch operator {
	case "ForAllValues:StringLike":
		return all(values, func(v string) bool { return slices.ContainsFunc(wanted, func(w string) bool { return like(w, v) }) })
	case "ForAllValues:StringEquals", "StringEqualsIfExists":
		return all(values, func(v string) bool { return slices.Contains(wanted, v) })
	case "Null":
		return slices.Equal(wanted, []string{"false"}) && len(values) > 0
	}
	return false
}

func all(values []string, f func(string) bool) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !f(v) })
}

// like compares as StringLike does: "*" matches any characters, "?" one.
func like(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return like(pattern[1:], text) || text != "" && like(pattern, text[1:])
	case text == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && like(pattern[1:], text[1:])
}
