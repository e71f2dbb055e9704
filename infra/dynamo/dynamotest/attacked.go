// Package dynamotest lets tests change the items of a DynamoDB table without the
// store.
package dynamotest

import (
	"maps"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Attacked is a store that a test also changes as an attacker does who may write
// the table and has no pepper. It implements storetest.Attacker.
type Attacked struct {
	dynamo.WithRepairs
	client *dynamodb.Client
	table  string
}

// New returns a store in the table.
func New(client *dynamodb.Client, table string) *Attacked {
	return &Attacked{dynamo.WithRepairs{Store: dynamo.New(client, table)}, client, table}
}

// HeadKey names the item of a head.
func (*Attacked) HeadKey(s events.Stream) string { return join(item.HeadKey(s)) }

// RecordKey names the item of a record.
func (*Attacked) RecordKey(s events.Stream, seq uint64) string { return join(item.RecordKey(s, seq)) }

// ViewKey names the item of a view.
func (*Attacked) ViewKey(id string) string { return join(item.ViewKey(id), nil) }

// ReplyKey implements storetest.Attacker.
func (*Attacked) ReplyKey(name string) string { return join(item.ReplyKey(name), nil) }

func join(key item.Item, err error) string {
	if err != nil {
		panic(err)
	}
	return item.TextOf(key, item.PK) + "\n" + item.TextOf(key, item.SK)
}

func split(key string) item.Item {
	pk, sk, _ := strings.Cut(key, "\n")
	return item.Key(pk, sk)
}

// Item returns the attributes of an item without its key, nil if it is missing.
func (a *Attacked) Item(t testing.TB, key string) map[string]any {
	t.Helper()
	out, err := a.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &a.table, Key: split(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if out.Item == nil {
		return nil
	}
	members := map[string]any{}
	for name, v := range out.Item {
		if name != item.PK && name != item.SK {
			members[name] = v
		}
	}
	return members
}

// PutItem writes an item with these attributes. Without attributes it removes
// the item.
func (a *Attacked) PutItem(t testing.TB, key string, members map[string]any) {
	t.Helper()
	it := split(key)
	var err error
	if members == nil {
		_, err = a.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &a.table, Key: it})
	} else {
		for name, v := range members {
			it[name] = v.(types.AttributeValue)
		}
		_, err = a.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &a.table, Item: it})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Spoil gives an attribute of an item a type that the store does not decode.
func (a *Attacked) Spoil(t testing.TB, key string) {
	t.Helper()
	members := a.Item(t, key)
	members["type"] = item.Number(1)
	a.PutItem(t, key, members)
}

// SpoilUse gives the time of a use a type that the store does not decode.
func (a *Attacked) SpoilUse(t testing.TB, tokenID string) {
	t.Helper()
	key := join(item.UseKey(tokenID), nil)
	members := maps.Clone(a.Item(t, key))
	members[item.UseAt] = item.Number(1)
	a.PutItem(t, key, members)
}

// SetHeadVersion changes the version in a stored head.
func (a *Attacked) SetHeadVersion(t testing.TB, s events.Stream, version uint64) {
	t.Helper()
	members := maps.Clone(a.Item(t, a.HeadKey(s)))
	members[item.HeadVersion] = item.Number(version)
	a.PutItem(t, a.HeadKey(s), members)
}
