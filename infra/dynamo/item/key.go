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

const sequenceDigits = 12

// StreamPK returns the partition key of a stream. It returns an error for a
// stream of unknown form and for an owner that is not UTF-8: DynamoDB's strings
// are UTF-8, so two such owners could get the same key.
func StreamPK(s events.Stream) (string, error) {
	switch owner, ok := s.Owner(); {
	case s == events.SettingsStream:
		return pkSettings, nil
	case !ok || !utf8.ValidString(owner):
	case s.Kind() == events.UserStreams:
		return pkUser + owner, nil
	case s.Kind() == events.SessionStreams:
		return pkSession + owner, nil
	}
	return "", fmt.Errorf("stream %q is unknown; allowed: user/OWNER or session/OWNER with an owner in UTF-8, settings", s)
}

// streamOf returns the stream with this partition key.
func streamOf(pk string) (events.Stream, error) {
	if owner, ok := strings.CutPrefix(pk, pkUser); ok {
		return events.UserStream(owner), nil
	}
	if owner, ok := strings.CutPrefix(pk, pkSession); ok {
		return events.SessionStream(owner), nil
	}
	if pk == pkSettings {
		return events.SettingsStream, nil
	}
	return "", fmt.Errorf("%q is not the partition key of a stream", pk)
}

// Sequence writes a sequence for a sort key. All sequences have 12 digits, so the
// order of the texts is the order of the numbers.
func Sequence(seq uint64) string { return fmt.Sprintf("%012d", seq) }

// RecordSK returns the sort key of the record with this sequence.
func RecordSK(seq uint64) string { return skEvent + Sequence(seq) }

// RecordKey returns the key of a record.
func RecordKey(s events.Stream, seq uint64) (Item, error) {
	pk, err := StreamPK(s)
	if err != nil {
		return nil, err
	}
	return Key(pk, RecordSK(seq)), nil
}

// HeadKey returns the key of a stream's head.
func HeadKey(s events.Stream) (Item, error) {
	pk, err := StreamPK(s)
	if err != nil {
		return nil, err
	}
	return Key(pk, skHead), nil
}

// TokenPK returns the partition key of a token. The partition has the token's
// view and, if the token was used, its last use.
func TokenPK(id string) string { return pkToken + id }

// ViewKey returns the key of a token's view.
func ViewKey(id string) Item { return Key(TokenPK(id), skView) }

// UseKey returns the key of a token's last use.
func UseKey(id string) Item { return Key(TokenPK(id), skUse) }

// TokenID returns the token id in the key of a view, and false for the key of
// another item.
func TokenID(key Item) (string, bool) {
	id, ok := strings.CutPrefix(TextOf(key, PK), pkToken)
	return id, ok && TextOf(key, SK) == skView
}

// ReplyKey returns the key of a reply.
func ReplyKey(name string) Item { return Key(pkReply+name, skReply) }

// MessageKey returns the key of the item with the message of this id. The id of
// a record is "stream/sequence"; every other id is that of a notice.
func MessageKey(id string) Item {
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		seq, err := strconv.ParseUint(id[i+1:], 10, 64)
		if k, kerr := RecordKey(events.Stream(id[:i]), seq); err == nil && kerr == nil {
			return k
		}
	}
	return Key(pkNotice+id, skNotice)
}

// KeyOf returns the primary key of an item.
func KeyOf(it Item) Item { return Item{PK: it[PK], SK: it[SK]} }

// Key is the primary key of these two texts.
func Key(pk, sk string) Item { return Item{PK: text(pk), SK: text(sk)} }

func text(s string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: s} }
