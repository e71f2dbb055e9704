package template

import (
	"fmt"
	"slices"
	"strconv"
)

// Deployed returns the template as CloudFormation deploys it with these values of
// parameters, and with the defaults of the others. Parameters and Fn::If are
// replaced by their values. Resources whose condition is false are left out, and so
// are members with the value AWS::NoValue. All other functions stay. A value that
// the parameter does not allow is an error.
func Deployed(template Object, values map[string]string) (Object, error) {
	d := deployment{parameters: Object{}, conditions: At(template, "Conditions")}
	parameters, _ := At(template, "Parameters").(Object)
	for name, p := range parameters {
		d.parameters[name] = At(p, "Default")
	}
	for name, text := range values {
		v, err := valueOfParameter(parameters[name], text)
		if err != nil {
			return nil, fmt.Errorf("the parameter %s: %w", name, err)
		}
		d.parameters[name] = v
	}
	resources := Object{}
	for name, r := range At(template, "Resources").(Object) {
		if condition, ok := At(r, "Condition").(string); ok {
			holds, err := d.holds(Object{"Condition": condition})
			if err != nil {
				return nil, fmt.Errorf("the resource %s: %w", name, err)
			}
			if !holds {
				continue
			}
		}
		v, err := d.resolve(r)
		if err != nil {
			return nil, fmt.Errorf("the resource %s: %w", name, err)
		}
		resources[name] = v
	}
	globals, err := d.resolve(At(template, "Globals"))
	if err != nil {
		return nil, fmt.Errorf("the globals: %w", err)
	}
	return Object{"Globals": globals, "Resources": resources}, nil
}

// valueOfParameter reads a text as CloudFormation reads the value of a parameter.
func valueOfParameter(parameter any, text string) (any, error) {
	if parameter == nil {
		return nil, fmt.Errorf("the template has no such parameter")
	}
	allowed, limited := At(parameter, "AllowedValues").([]any)
	isText := func(v any) bool { return fmt.Sprint(v) == text }
	if limited && !slices.ContainsFunc(allowed, isText) {
		return nil, fmt.Errorf("the value %q is not allowed; allowed: %v", text, allowed)
	}
	if At(parameter, "Type") != "Number" {
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("the value %q is not a number", text)
	}
	return n, nil
}

type deployment struct {
	parameters Object
	conditions any
}

// noValue is what AWS::NoValue becomes: its member is left out.
type noValue struct{}

func (d deployment) resolve(v any) (any, error) {
	switch v := v.(type) {
	case Object:
		return d.resolveObject(v)
	case []any:
		l := []any{}
		for _, e := range v {
			r, err := d.resolve(e)
			if err != nil {
				return nil, err
			}
			if r != (noValue{}) {
				l = append(l, r)
			}
		}
		return l, nil
	}
	return v, nil
}

func (d deployment) resolveObject(o Object) (any, error) {
	if name, ok := o["Ref"].(string); ok {
		if value, is := d.parameters[name]; is {
			return value, nil
		}
		if name == "AWS::NoValue" {
			return noValue{}, nil
		}
	}
	if choice, ok := o["Fn::If"].([]any); ok && len(choice) == 3 {
		holds, err := d.holds(Object{"Condition": choice[0]})
		if err != nil {
			return nil, err
		}
		if holds {
			return d.resolve(choice[1])
		}
		return d.resolve(choice[2])
	}
	all := Object{}
	for name, member := range o {
		r, err := d.resolve(member)
		if err != nil {
			return nil, err
		}
		if r != (noValue{}) {
			all[name] = r
		}
	}
	return all, nil
}

// holds evaluates a condition function.
func (d deployment) holds(condition Object) (bool, error) {
	for function, argument := range condition {
		if name, ok := argument.(string); ok && function == "Condition" {
			named, ok := At(d.conditions, name).(Object)
			if !ok {
				return false, fmt.Errorf("the template has no condition %s", name)
			}
			return d.holds(named)
		}
		arguments, _ := argument.([]any)
		if function == "Fn::Equals" && len(arguments) == 2 {
			resolved, err := d.resolve(arguments)
			if err != nil {
				return false, err
			}
			sides := resolved.([]any)
			return fmt.Sprint(sides[0]) == fmt.Sprint(sides[1]), nil
		}
		return d.combined(function, arguments)
	}
	return false, fmt.Errorf("an empty condition")
}

// combined evaluates Fn::Not, Fn::And and Fn::Or.
func (d deployment) combined(function string, arguments []any) (bool, error) {
	count := 0
	for _, a := range arguments {
		condition, _ := a.(Object)
		holds, err := d.holds(condition)
		if err != nil {
			return false, err
		}
		if holds {
			count++
		}
	}
	switch function {
	case "Fn::Not":
		return count == 0, nil
	case "Fn::And":
		return count == len(arguments), nil
	case "Fn::Or":
		return count > 0, nil
	}
	return false, fmt.Errorf("the condition function %s is unknown", function)
}
