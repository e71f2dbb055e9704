package name

import (
	"math/big"
	"strings"

	"apitoken/events/secret"
)

// numberBytes is the smallest number of bytes of the number of an owner key, except of
// a key with an auth_id. Such a number has more than 64 bits, so it is no auth_id of Qumulo.
const numberBytes = 9

// maxNumber is the number of digits of the longest number of an owner key.
const maxNumber = 620

// Number returns an owner key as a whole number. who-am-i answers this number as the id
// of the caller. Qumulo's qq reads the id as a number of any size, and sends the id back
// as an auth_id. The number of "auth_id:N" is N. The number of every
// other key is the byte 1 and the bytes of the key, read as one number; zeros in front
// of the key make it longer than 64 bits.
func Number(key string) string {
	if n, ok := strings.CutPrefix(key, authForm); ok {
		return n
	}
	b := make([]byte, max(numberBytes, 1+len(key)))
	b[0] = 1
	copy(b[len(b)-len(key):], key)
	return new(big.Int).SetBytes(b).String()
}

// keyOfNumber returns the owner key of a number with more than 64 bits, or "" if no
// key has this number. A number of a key that contains a token is refused too: callers
// look for tokens in texts, and would not find a token in a number.
func keyOfNumber(digits string) string {
	if len(digits) > maxNumber { // the time to read a number grows with the square of its length
		return ""
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return ""
	}
	b := n.Bytes()
	if len(b) < numberBytes || b[0] != 1 {
		return ""
	}
	key := strings.TrimLeft(string(b[1:]), "\x00")
	if ValidOwner(key) != nil || Number(key) != digits || secret.Within(key) {
		return ""
	}
	return key
}
