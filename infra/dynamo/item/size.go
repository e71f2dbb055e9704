package item

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The number of bytes that one unit covers.
const (
	writeUnit = 1 << 10
	readUnit  = 4 << 10
)

// Size returns the item's size in bytes by AWS's rule: for each attribute the
// UTF-8 bytes of the name and the size of the value. (Amazon DynamoDB Developer
// Guide, "DynamoDB item sizes and formats".)
func Size(it Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return numberSize(v.Value)
	case *types.AttributeValueMemberL:
		n := 3 // and one byte for each element
		for _, e := range v.Value {
			n += 1 + valueSize(e)
		}
		return n
	}
	return 1 // BOOL, and NULL
}

// numberSize is one byte for every two significant digits, and one byte more.
func numberSize(text string) int {
	return (len(strings.Trim(text, "-0"))+1)/2 + 1
}

// TransactionUnits returns the write units that AWS counts for these new items
// in one transaction: for each item two units for each KB, and for each of its
// index entries one unit for each KB, rounded up. (Amazon DynamoDB Developer
// Guide, "Capacity unit consumption for write operations".) Emulators count
// differently.
func TransactionUnits(items ...Item) int {
	n := 0
	for _, it := range items {
		n += 2*units(Size(it), writeUnit) + IndexUnits(it)
	}
	return n
}

// IndexUnits returns the write units that AWS counts for the item's new entries
// in the indexes.
func IndexUnits(it Item) int {
	n := 0
	if it[ListPK] != nil {
		n += units(Size(pick(it, append([]string{PK, SK, ListPK, ListSK}, ListAttributes...)...)), writeUnit)
	}
	if it[OwnerPK] != nil && it[OwnerSK] != nil {
		n += units(Size(pick(it, append([]string{PK, SK, OwnerPK, OwnerSK}, OwnerAttributes...)...)), writeUnit)
	}
	if it[DuePK] != nil {
		n += units(Size(pick(it, append([]string{PK, SK, DuePK, DueSK}, DueAttributes...)...)), writeUnit)
	}
	if it[UnsentPK] != nil {
		n += units(Size(pick(it, PK, SK, UnsentPK, UnsentSK)), writeUnit)
	}
	return n
}

// ReadUnits returns the read units that AWS counts for one consistent Query or
// GetItem of these items. An eventually consistent read costs half.
func ReadUnits(items ...Item) int {
	n := 0
	for _, it := range items {
		n += Size(it)
	}
	return units(n, readUnit)
}

func pick(it Item, names ...string) Item {
	part := Item{}
	for _, name := range names {
		if v, ok := it[name]; ok {
			part[name] = v
		}
	}
	return part
}

// units returns at least one: a read without a result costs one unit too.
func units(size, unit int) int { return max(1, (size+unit-1)/unit) }
