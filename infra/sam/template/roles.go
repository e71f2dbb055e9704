package template

import (
	"maps"
	"slices"
	"strings"
)

// Logical returns the name of a function's resource. For the function create and
// the kind Role it is CreateRole.
func Logical(function, kind string) string {
	return strings.ToUpper(function[:1]) + function[1:] + kind
}

// Policies returns the names of a role's managed policies, without those that
// depend on a condition.
func Policies(template Object, role string) (names []string) {
	for _, policy := range Objects(At(template, "Resources", role, "Properties", "ManagedPolicyArns")) {
		if name, ok := policy["Ref"].(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// Statements returns the statements of all policies that a role always has: of
// the managed policies that Policies returns, of the role's own policies, and of
// the inline policies that are resources of their own (AWS::IAM::Policy).
func Statements(template Object, role string) (all []Object) {
	for _, name := range Policies(template, role) {
		all = append(all, Objects(At(template, "Resources", name, "Properties", "PolicyDocument", "Statement"))...)
	}
	for _, policy := range Objects(At(template, "Resources", role, "Properties", "Policies")) {
		all = append(all, Objects(At(policy, "PolicyDocument", "Statement"))...)
	}
	resources, _ := At(template, "Resources").(Object)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if policy := resources[name]; At(policy, "Type") == "AWS::IAM::Policy" && isFor(policy, role) {
			all = append(all, Objects(At(policy, "Properties", "PolicyDocument", "Statement"))...)
		}
	}
	return all
}

// isFor reports whether a policy names the role.
func isFor(policy any, role string) bool {
	return slices.ContainsFunc(Objects(At(policy, "Properties", "Roles")), func(r Object) bool { return r["Ref"] == role })
}

// Objects returns a list of mappings, nil if v is not a list.
func Objects(v any) (all []Object) {
	l, _ := v.([]any)
	for _, e := range l {
		all = append(all, e.(Object))
	}
	return all
}
