package template_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// TestTheImportHasThePropertiesOfTheTemplate: after a restore `make deploy` changes
// what differs. A property that cannot be changed would replace the table, and a pepper
// with another GenerateSecretString would get a new value.
func TestTheImportHasThePropertiesOfTheTemplate(t *testing.T) {
	all := read(t)
	imported, err := template.Read(top + "infra/sam/import.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for member := range imported {
		// An import may not bring outputs, and needs no transform, parameter or condition.
		if member != "AWSTemplateFormatVersion" && member != "Description" && member != "Resources" {
			t.Errorf("import.yaml has %s", member)
		}
	}
	kept := at(imported, "Resources").(object)
	for _, kind := range []string{"DynamoDB::Table", "SecretsManager::Secret"} {
		for name, r := range resources(t, all, kind) {
			properties := at(r, "Properties").(object)
			delete(properties, "ResourcePolicy") // it names a role that is not imported
			if properties["DeletionProtectionEnabled"] != nil {
				properties["DeletionProtectionEnabled"] = true
			}
			want(t, kept, "AWS::"+kind, name, "Type")
			want(t, kept, "Retain", name, "DeletionPolicy") // an import needs it
			want(t, kept, "Retain", name, "UpdateReplacePolicy")
			if got := at(kept, name, "Properties"); !reflect.DeepEqual(got, properties) {
				t.Errorf("%s in import.yaml has the properties\n%v\ntemplate.yaml has\n%v", name, got, properties)
			}
			delete(kept, name)
		}
	}
	for name := range kept {
		t.Errorf("import.yaml has %s, which template.yaml does not retain", name)
	}
}

// generateSecretString is the property as both files have it. Never change it: when the
// property changes, CloudFormation generates a new value for the secret of every
// deployed stack. The functions then get another pepper, and every token is refused.
// (CloudFormation template reference, AWS::SecretsManager::Secret, GenerateSecretString.)
// A new pepper is a secret of its own; the README says how to rotate.
const generateSecretString = `      GenerateSecretString:
        # 44 letters and digits are the standard base64 form of 33 bytes. Emulators ignore ExcludePunctuation, so
        # ExcludeCharacters lists every punctuation character.
        PasswordLength: 44
        RequireEachIncludedType: false
        ExcludePunctuation: true
        ExcludeCharacters: "!\"#$%&'()*+,-./:;<=>?@[\\]^_` + "`" + `{|}~"
`

func TestTheFirstPepperIsNeverGeneratedAgain(t *testing.T) {
	for _, name := range []string{"template.yaml", "infra/sam/import.yaml"} {
		b, err := os.ReadFile(top + name)
		if err != nil {
			t.Fatal(err)
		}
		_, pepper, found := strings.Cut(string(b), "\n  PepperOne:\n")
		pepper, _, ended := strings.Cut(pepper, "\n\n")
		if _, got, _ := strings.Cut(pepper+"\n", "every token.\n"); !found || !ended || got != generateSecretString {
			t.Errorf("%s: PepperOne has\n%s\nwant\n%s", name, got, generateSecretString)
		}
	}
}
