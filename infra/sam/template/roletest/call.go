package roletest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Call is one request of an SDK call as IAM sees it: an action on a table, or on
// an index of a table, with the values of its condition keys.
type Call struct {
	Action       string   // for example dynamodb:GetItem
	Table        string   // its name
	Index        string   // "" if the call is on the table
	Keys         []string // dynamodb:LeadingKeys: the partition keys, of the index if there is one
	Attributes   []string // dynamodb:Attributes: the top-level attributes that the request names
	ReturnValues string   // dynamodb:ReturnValues; "" if the request has none
	Select       string   // dynamodb:Select; "" if the request has none
}

func (c Call) String() string {
	on := c.Table
	if c.Index != "" {
		on += "/index/" + c.Index
	}
	return fmt.Sprintf("%s on %s, keys %q, attributes %q, return values %q", c.Action, on, c.Keys, c.Attributes, c.ReturnValues)
}

// everything is the list of attributes of a read that names none: it returns all.
const everything = "(all attributes)"

// CallsOf returns the calls that IAM checks for the input of an SDK call. A
// transaction needs the right to each of its parts ("Using IAM with DynamoDB
// transactions"). The error names an input that this package does not know.
func CallsOf(input any) ([]Call, error) {
	switch in := input.(type) {
	case *dynamodb.GetItemInput:
		return []Call{read("GetItem", in.TableName, in.Key, in.ProjectionExpression, in.ExpressionAttributeNames)}, nil
	case *dynamodb.BatchGetItemInput:
		return batch(in), nil
	case *dynamodb.QueryInput:
		return []Call{query(in)}, nil
	case *dynamodb.ScanInput:
		return []Call{{
			Action: "dynamodb:Scan", Table: aws.ToString(in.TableName), Index: aws.ToString(in.IndexName), Select: string(in.Select),
			Attributes: append(projected(in.ProjectionExpression, in.ExpressionAttributeNames), named(aws.ToString(in.FilterExpression), in.ExpressionAttributeNames)...),
		}}, nil
	case *dynamodb.PutItemInput:
		return []Call{write("PutItem", in.TableName, in.Item, string(in.ReturnValues), in.ExpressionAttributeNames, in.ConditionExpression)}, nil
	case *dynamodb.UpdateItemInput:
		return []Call{write("UpdateItem", in.TableName, in.Key, string(in.ReturnValues), in.ExpressionAttributeNames, in.UpdateExpression, in.ConditionExpression)}, nil
	case *dynamodb.DeleteItemInput:
		return []Call{write("DeleteItem", in.TableName, in.Key, string(in.ReturnValues), in.ExpressionAttributeNames, in.ConditionExpression)}, nil
	case *dynamodb.TransactWriteItemsInput:
		return transaction(in)
	}
	return nil, fmt.Errorf("roletest does not know the call %T", input)
}

func transaction(in *dynamodb.TransactWriteItemsInput) (all []Call, err error) {
	for _, part := range in.TransactItems {
		switch {
		case part.Put != nil:
			p := part.Put
			all = append(all, write("PutItem", p.TableName, p.Item, "", p.ExpressionAttributeNames, p.ConditionExpression))
		case part.Update != nil:
			u := part.Update
			all = append(all, write("UpdateItem", u.TableName, u.Key, "", u.ExpressionAttributeNames, u.UpdateExpression, u.ConditionExpression))
		case part.Delete != nil:
			d := part.Delete
			all = append(all, write("DeleteItem", d.TableName, d.Key, "", d.ExpressionAttributeNames, d.ConditionExpression))
		case part.ConditionCheck != nil:
			c := part.ConditionCheck
			all = append(all, write("ConditionCheckItem", c.TableName, c.Key, "", c.ExpressionAttributeNames, c.ConditionExpression))
		default:
			return nil, fmt.Errorf("roletest does not know a part of a transaction: %+v", part)
		}
	}
	return all, nil
}

// batch returns one call for each table of the request.
func batch(in *dynamodb.BatchGetItemInput) (all []Call) {
	for table, ask := range in.RequestItems {
		c := Call{Action: "dynamodb:BatchGetItem", Table: table, Attributes: projected(ask.ProjectionExpression, ask.ExpressionAttributeNames)}
		for _, key := range ask.Keys {
			c.Keys = append(c.Keys, partition(key))
		}
		all = append(all, c)
	}
	return all
}

func read(action string, table *string, key map[string]types.AttributeValue, projection *string, names map[string]string) Call {
	return Call{
		Action: "dynamodb:" + action, Table: aws.ToString(table), Keys: []string{partition(key)}, Attributes: projected(projection, names),
	}
}

// write returns the call of a write. It names the attributes of the key or the
// item, and those of its expressions.
func write(action string, table *string, it map[string]types.AttributeValue, returned string, names map[string]string, expressions ...*string) Call {
	c := Call{Action: "dynamodb:" + action, Table: aws.ToString(table), Keys: []string{partition(it)}, ReturnValues: returned}
	for name := range it {
		c.Attributes = append(c.Attributes, name)
	}
	for _, e := range expressions {
		c.Attributes = append(c.Attributes, named(aws.ToString(e), names)...)
	}
	slices.Sort(c.Attributes)
	c.Attributes = slices.Compact(c.Attributes)
	return c
}

// equality is one comparison of a key condition.
var equality = regexp.MustCompile(`([#\w]+)\s*=\s*(:\w+)`)

// query returns the call of a query. Its leading key is the value that its key
// condition gives to the partition key of the table, or of the index.
func query(in *dynamodb.QueryInput) Call {
	c := Call{
		Action: "dynamodb:Query", Table: aws.ToString(in.TableName), Index: aws.ToString(in.IndexName),
		Attributes: projected(in.ProjectionExpression, in.ExpressionAttributeNames),
	}
	hash := hashOf(c.Index)
	for _, found := range equality.FindAllStringSubmatch(aws.ToString(in.KeyConditionExpression), -1) {
		if resolve(found[1], in.ExpressionAttributeNames) == hash {
			c.Keys = append(c.Keys, text(in.ExpressionAttributeValues[found[2]]))
		}
	}
	return c
}

// hashOf returns the name of the partition key of the table (index "") or of an
// index.
func hashOf(index string) string {
	table := dynamo.Table("any")
	keys := table.KeySchema
	for _, i := range table.GlobalSecondaryIndexes {
		if aws.ToString(i.IndexName) == index {
			keys = i.KeySchema
		}
	}
	return aws.ToString(keys[0].AttributeName)
}

func partition(key map[string]types.AttributeValue) string { return text(key[hashOf("")]) }

func text(v types.AttributeValue) string {
	s, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return fmt.Sprintf("(not a text: %T)", v)
	}
	return s.Value
}

func projected(projection *string, names map[string]string) []string {
	if projection == nil {
		return []string{everything}
	}
	return named(*projection, names)
}

// words finds the names in an expression. A name after a dot is inside of a
// top-level attribute, and a name after a colon is that of a value.
var words = regexp.MustCompile(`[.:]?[#A-Za-z_]\w*\(?`)

var keywords = []string{"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}

// named returns the top-level attributes that an expression names.
func named(expression string, names map[string]string) (all []string) {
	for _, w := range words.FindAllString(expression, -1) {
		switch {
		case w[0] == '.', w[0] == ':', strings.HasSuffix(w, "("), slices.Contains(keywords, strings.ToUpper(w)):
		default:
			all = append(all, resolve(w, names))
		}
	}
	return all
}

func resolve(name string, names map[string]string) string {
	if strings.HasPrefix(name, "#") {
		return names[name]
	}
	return name
}
