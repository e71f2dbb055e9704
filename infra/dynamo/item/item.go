// Package item is the layout of the DynamoDB table: which item holds what,
// under which key and in which attributes.
//
// It promises that what was put in comes out the same, and that what was
// stored once can be read for ever: an attribute is never renamed, reused or
// given another meaning. Times have nanoseconds and are UTC; numbers are
// numbers; an attribute is absent if its value is the zero value of something
// optional. It knows the SDK's attribute value types and nothing else of AWS,
// so that whoever reads the table's change stream can share it.
//
// When something is written, and on which condition, is the business of
// infra/dynamo.
//
//	item    PK                    SK                 in index
//	record  USER#ann, SETTINGS    EVENT#000000000007 unsent, until it is sent
//	head    the same              HEAD
//	view    TOKEN#JhxND7ci        TOKEN              list
//	use     TOKEN#JhxND7ci        USE
//	reply   REPLY#<key>           REPLY
//	notice  NOTICE#<id>           NOTICE             unsent, until it is sent
package item

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item, or a part of one, as the SDK has it.
type Item = map[string]types.AttributeValue

// The attributes that make the primary key, and the one by which DynamoDB
// collects what is past its time.
const (
	PK  = "PK"
	SK  = "SK"
	TTL = "ttl"
)

// Sort keys of the items that are alone of their kind in a partition.
const (
	skHead   = "HEAD"
	skView   = "TOKEN"
	skUse    = "USE"
	skReply  = "REPLY"
	skNotice = "NOTICE"
)

const (
	pkUser     = "USER#"
	pkSettings = "SETTINGS"
	pkToken    = "TOKEN#"
	pkReply    = "REPLY#"
	pkNotice   = "NOTICE#"
	skEvent    = "EVENT#"
)

// Kind is what an item is.
type Kind int

const (
	KindUnknown Kind = iota
	KindRecord
	KindHead
	KindView
	KindUse
	KindReply
	KindNotice
)

// KindOf tells an item's kind by its sort key.
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
	}
	return KindUnknown
}

// Partition is the partition that an item lies in, "" if it has no key.
func Partition(it Item) string { return TextOf(it, PK) }

// Name says which item it is. Keys hold ids and owners, which are no secrets;
// nothing else of an item may appear in an error.
func Name(it Item) string {
	pk, _ := it[PK].(*types.AttributeValueMemberS)
	sk, _ := it[SK].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return "item without a key"
	}
	return fmt.Sprintf("item %q %q", pk.Value, sk.Value)
}
