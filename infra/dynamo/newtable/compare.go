package newtable

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The values of settings.
const (
	none = "none"
	on   = "on"
)

const deletionProtection = "deletion protection"

// properties are the settings of a table by their names. A missing one is none.
type properties map[string]string

// wanted returns the properties of a definition.
func wanted(d *dynamodb.CreateTableInput) properties {
	p := properties{"billing mode": string(d.BillingMode)}
	p.addKeys("keys", d.KeySchema, d.AttributeDefinitions)
	for _, i := range d.GlobalSecondaryIndexes {
		p.addIndex("index "+*i.IndexName, i.KeySchema, d.AttributeDefinitions, i.Projection)
	}
	p.addStream(d.StreamSpecification)
	p.addOn("encryption with a KMS key", aws.ToBool(d.SSESpecification.Enabled))
	p.addOn(deletionProtection, aws.ToBool(d.DeletionProtectionEnabled))
	return p
}

// described returns the properties of an existing table. DescribeTable has no
// SSEDescription for a key that AWS owns, and may have no BillingModeSummary for a
// table that was always provisioned (API reference, TableDescription).
func described(d *types.TableDescription) properties {
	p := properties{"billing mode": string(types.BillingModeProvisioned)}
	if d.BillingModeSummary != nil {
		p["billing mode"] = string(d.BillingModeSummary.BillingMode)
	}
	p.addKeys("keys", d.KeySchema, d.AttributeDefinitions)
	for _, i := range d.GlobalSecondaryIndexes {
		p.addIndex("index "+aws.ToString(i.IndexName), i.KeySchema, d.AttributeDefinitions, i.Projection)
	}
	for _, i := range d.LocalSecondaryIndexes {
		p.addIndex("local index "+aws.ToString(i.IndexName), i.KeySchema, d.AttributeDefinitions, i.Projection)
	}
	p.addStream(d.StreamSpecification)
	s := d.SSEDescription
	p.addOn("encryption with a KMS key", s != nil && s.Status != types.SSEStatusDisabled && s.Status != types.SSEStatusDisabling)
	p.addOn(deletionProtection, aws.ToBool(d.DeletionProtectionEnabled))
	return p
}

func (p properties) addOn(name string, isOn bool) {
	if isOn {
		p[name] = on
	}
}

func (p properties) addStream(s *types.StreamSpecification) {
	if s != nil && aws.ToBool(s.StreamEnabled) {
		p["stream"] = string(s.StreamViewType)
	}
}

// addKeys adds the keys with their types, such as "PK (S, HASH), SK (S, RANGE)".
func (p properties) addKeys(name string, keys []types.KeySchemaElement, attributes []types.AttributeDefinition) {
	kinds := map[string]types.ScalarAttributeType{}
	for _, a := range attributes {
		kinds[aws.ToString(a.AttributeName)] = a.AttributeType
	}
	var all []string
	for _, k := range keys {
		all = append(all, fmt.Sprintf("%s (%s, %s)", aws.ToString(k.AttributeName), kinds[aws.ToString(k.AttributeName)], k.KeyType))
	}
	slices.Sort(all)
	p[name] = strings.Join(all, ", ")
}

// addIndex adds each projected attribute by itself: an older table lacks those that a
// later version added. Services return them in any order.
func (p properties) addIndex(name string, keys []types.KeySchemaElement, attributes []types.AttributeDefinition, projection *types.Projection) {
	p.addKeys(name, keys, attributes)
	if projection == nil {
		return
	}
	p[name+", projection"] = string(projection.ProjectionType)
	for _, a := range projection.NonKeyAttributes {
		p[name+", attribute "+a] = "projected"
	}
}

// compare returns the differences, sorted.
func compare(got, want properties) (differences []string) {
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if got[name] != want[name] {
			differences = append(differences, difference(name, got[name], want[name]))
		}
	}
	return differences
}

func difference(name, got, want string) string {
	if got == "" {
		got = none
	}
	if want == "" {
		want = none
	}
	return fmt.Sprintf("%s is %s, want %s", name, got, want)
}
