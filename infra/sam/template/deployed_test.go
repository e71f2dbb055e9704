package template_test

import (
	"reflect"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

func sampleTemplate() object {
	return object{
		"Parameters": object{
			"Mode": object{"Type": "String", "Default": "off", "AllowedValues": list("off", "on")},
			"Days": object{"Type": "Number", "Default": 400},
			"Free": object{"Type": "String", "Default": ""},
		},
		"Conditions": object{
			"On":    object{"Fn::Equals": list(ref("Mode"), "on")},
			"Keeps": object{"Fn::Not": list(object{"Fn::Equals": list(ref("Days"), 0)})},
			"Both":  object{"Fn::And": list(object{"Condition": "On"}, object{"Condition": "Keeps"})},
			"Any":   object{"Fn::Or": list(object{"Condition": "On"}, object{"Condition": "Keeps"})},
		},
		"Globals": object{"Function": object{"Tracing": ref("Mode")}},
		"Resources": object{
			"Always": object{"Type": "T", "Properties": object{
				"Days": ref("Days"), "Other": ref("Kept"), "If": object{"Fn::If": list("On", "yes", ref("AWS::NoValue"))},
				"List": list(object{"Fn::If": list("Both", "both", ref("AWS::NoValue"))}, object{"Fn::If": list("Any", "any", "none")}),
			}},
			"Kept": object{"Type": "T", "Condition": "Keeps"},
		},
	}
}

func TestADeployedTemplateHasTheValuesOfItsParameters(t *testing.T) {
	for _, c := range []struct {
		values     map[string]string
		properties object
		kept       bool
		tracing    string
	}{
		{nil, object{"Days": 400, "Other": ref("Kept"), "List": list("any")}, true, "off"},
		{map[string]string{"Mode": "on"}, object{"Days": 400, "Other": ref("Kept"), "If": "yes", "List": list("both", "any")}, true, "on"},
		{map[string]string{"Mode": "on", "Days": "0"}, object{"Days": 0, "Other": ref("Kept"), "If": "yes", "List": list("any")}, false, "on"},
		{map[string]string{"Days": "0"}, object{"Days": 0, "Other": ref("Kept"), "List": list("none")}, false, "off"},
	} {
		got, err := template.Deployed(sampleTemplate(), c.values)
		if err != nil {
			t.Fatalf("%v: %v", c.values, err)
		}
		want(t, got, c.properties, "Resources", "Always", "Properties")
		want(t, got, c.tracing, "Globals", "Function", "Tracing")
		if kept := at(got, "Resources", "Kept") != nil; kept != c.kept {
			t.Errorf("%v: the resource with a condition: got %t, want %t", c.values, kept, c.kept)
		}
	}
}

func TestAWrongParameterIsAnError(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"Unknown", "1", "the parameter Unknown: the template has no such parameter"},
		{"Mode", "loud", `the parameter Mode: the value "loud" is not allowed; allowed: [off on]`},
		{"Days", "many", `the parameter Days: the value "many" is not a number`},
	} {
		if got, err := template.Deployed(sampleTemplate(), map[string]string{c.name: c.value}); err == nil || err.Error() != c.want {
			t.Errorf("%s=%s: got %v, %v, want %s", c.name, c.value, got, err, c.want)
		}
	}
	broken := sampleTemplate()
	broken["Resources"] = object{"A": object{"Condition": "Missing"}}
	if _, err := template.Deployed(broken, nil); err == nil || !strings.Contains(err.Error(), "no condition Missing") {
		t.Errorf("got %v", err)
	}
}

// TestEveryConditionOfTheTemplateIsUnderstood, with each parameter at its default.
func TestEveryConditionOfTheTemplateIsUnderstood(t *testing.T) {
	all := read(t)
	deployed, err := template.Deployed(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(at(deployed, "Resources"), at(all, "Resources")) || at(deployed, "Resources", "Archive", "Properties", "RetentionDays") != 400 {
		t.Error("the parameters were not replaced")
	}
}
