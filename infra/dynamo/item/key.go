package item

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"apitoken/events"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// LastSeq is the highest sequence that a sort key can hold: 12 digits.
const LastSeq = 999_999_999_999

// StreamPK is the partition of a stream. A stream of unknown form has none,
// nor has one that is not UTF-8: DynamoDB's strings are, and two owners would
// become one.
func StreamPK(s events.Stream) (string, error) {
	if owner, ok := s.Owner(); ok && utf8.ValidString(owner) {
		return pkUser + owner, nil
	}
	if s == events.SettingsStream {
		return pkSettings, nil
	}
	return "", fmt.Errorf("stream %q is neither an owner's nor the settings", s)
}

// streamOf is the stream whose partition it is.
func streamOf(pk string) (events.Stream, error) {
	if owner, ok := strings.CutPrefix(pk, pkUser); ok {
		return events.UserStream(owner), nil
	}
	if pk == pkSettings {
		return events.SettingsStream, nil
	}
	return "", fmt.Errorf("%q is not the partition of a stream", pk)
}

// Sequence writes a sequence for a sort key. All have 12 digits, so the order
// of the texts is the order of the numbers.
func Sequence(seq uint64) string { return fmt.Sprintf("%012d", seq) }

// RecordSK is the sort key of the record with that sequence.
func RecordSK(seq uint64) string { return skEvent + Sequence(seq) }

// RecordKey is where a record stands.
func RecordKey(s events.Stream, seq uint64) (Item, error) {
	pk, err := StreamPK(s)
	if err != nil {
		return nil, err
	}
	return Key(pk, RecordSK(seq)), nil
}

// HeadKey is where a stream's head stands.
func HeadKey(s events.Stream) (Item, error) {
	pk, err := StreamPK(s)
	if err != nil {
		return nil, err
	}
	return Key(pk, skHead), nil
}

// TokenPK is the partition of a token: its view, and its use if it was used.
func TokenPK(id string) string { return pkToken + id }

// ViewKey is where a token's view stands.
func ViewKey(id string) Item { return Key(TokenPK(id), skView) }

// UseKey is where a token's last use stands.
func UseKey(id string) Item { return Key(TokenPK(id), skUse) }

// ReplyKey is where a reply stands.
func ReplyKey(name string) Item { return Key(pkReply+name, skReply) }

// MessageKey is where the message with that id stands: a record's is
// "stream/sequence", every other id is a notice's.
func MessageKey(id string) Item {
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		seq, err := strconv.ParseUint(id[i+1:], 10, 64)
		if k, kerr := RecordKey(events.Stream(id[:i]), seq); err == nil && kerr == nil {
			return k
		}
	}
	return Key(pkNotice+id, skNotice)
}

// KeyOf is the primary key of an item.
func KeyOf(it Item) Item { return Item{PK: it[PK], SK: it[SK]} }

// Key is the primary key of these two texts.
func Key(pk, sk string) Item { return Item{PK: text(pk), SK: text(sk)} }

func text(s string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: s} }
