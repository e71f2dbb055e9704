// Package item is the layout of the DynamoDB table: the items, their keys and
// their attributes.
//
// It promises that a value is read back as it was written, and that later
// releases can read all stored items: an attribute is never renamed, reused or
// given another meaning. Times are UTC and have microseconds. Numbers have the
// type number. An optional attribute with a zero value is absent. The package
// uses the SDK's attribute value types and nothing else of AWS, so readers of
// the table's change stream can use it too.
//
// infra/dynamo decides when an item is written, and on which condition.
//
//	item    PK                    SK                 in index
//	record  USER#ann, SESSION#ann, SETTINGS
//	                              EVENT#000000000007 unsent, until it is sent
//	head    the same              HEAD
//	view    TOKEN#JhxND7ci        TOKEN              list, owner; due, if the token expires
//	use     TOKEN#JhxND7ci        USE
//	reply   REPLY#<key>           REPLY
//	notice  NOTICE#<id>           NOTICE             unsent, until it is sent
//	lease   LEASE#relay, #expire  LEASE
package item

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item, or a part of one, in the SDK's type.
type Item = map[string]types.AttributeValue

// The attributes of the primary key, and the attribute with the time, in epoch
// seconds, after which DynamoDB may delete the item.
const (
	PK  = "PK"
	SK  = "SK"
	TTL = "ttl"
)

// Sort keys of the kinds that have one item in a partition.
const (
	skHead   = "HEAD"
	skView   = "TOKEN"
	skUse    = "USE"
	skReply  = "REPLY"
	skNotice = "NOTICE"
	skLease  = "LEASE"
)

const (
	pkUser     = "USER#"
	pkSession  = "SESSION#"
	pkSettings = "SETTINGS"
	pkToken    = "TOKEN#"
	pkReply    = "REPLY#"
	pkNotice   = "NOTICE#"
	pkLease    = "LEASE#"
	skEvent    = "EVENT#"
)

// Kind is the kind of an item.
type Kind int

// The kinds of items. The package comment describes them; KindUnknown is every
// other item.
const (
	KindUnknown Kind = iota
	KindRecord
	KindHead
	KindView
	KindUse
	KindReply
	KindNotice
	KindLease
)

// KindOf returns an item's kind, by its sort key.
func KindOf(it Item) Kind {
	sk, _ := it[SK].(*types.AttributeValueMemberS)
	switch {
	case sk == nil:
		return KindUnknown
	case strings.HasPrefix(sk.Value, skEvent):
		return KindRecord
	case sk.Value == skHead:
		return KindHead
	case sk.Value == skView:
		return KindView
	case sk.Value == skUse:
		return KindUse
	case sk.Value == skReply:
		return KindReply
	case sk.Value == skNotice:
		return KindNotice
	case sk.Value == skLease:
		return KindLease
	}
	return KindUnknown
}

// Partition returns the partition key of an item, "" if the item has none.
func Partition(it Item) string { return TextOf(it, PK) }

// Name returns a name for an item, made from its key, for use in errors. Keys
// have ids and owners, which are not secret. No other attribute of an item may
// appear in an error.
func Name(it Item) string {
	pk, _ := it[PK].(*types.AttributeValueMemberS)
	sk, _ := it[SK].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return "item without a key"
	}
	return fmt.Sprintf("item %q %q", pk.Value, sk.Value)
}
