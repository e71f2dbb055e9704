package template

import "strings"

// Logical is the name of a function's resource: of create, with the kind Role,
// it is CreateRole.
func Logical(function, kind string) string {
	return strings.ToUpper(function[:1]) + function[1:] + kind
}

// Policies are the names of a role's managed policies, without those that hang
// on a condition.
func Policies(template Object, role string) (names []string) {
	for _, policy := range Objects(At(template, "Resources", role, "Properties", "ManagedPolicyArns")) {
		if name, ok := policy["Ref"].(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// Statements are those of all policies that a role always has: of the managed
// ones that Policies names and of its own.
func Statements(template Object, role string) (all []Object) {
	for _, name := range Policies(template, role) {
		all = append(all, Objects(At(template, "Resources", name, "Properties", "PolicyDocument", "Statement"))...)
	}
	for _, policy := range Objects(At(template, "Resources", role, "Properties", "Policies")) {
		all = append(all, Objects(At(policy, "PolicyDocument", "Statement"))...)
	}
	return all
}

// Objects are the mappings of a list.
func Objects(v any) (all []Object) {
	l, _ := v.([]any)
	for _, e := range l {
		all = append(all, e.(Object))
	}
	return all
}
