package name

import (
	"math/big"
	"strings"
)

// numberBytes is the least number of bytes of a number that stands for an owner key
// with a name. Such a number has more than 64 bits, so it is no auth_id of Qumulo.
const numberBytes = 9

// maxNumber is the number of digits of the longest number of an owner key.
const maxNumber = 620

// Number returns the whole number that stands for an owner key: who-am-i answers this
// number as the id of the caller. Qumulo's qq reads that id as a number of any size,
// and sends it back as an auth_id. The number of "auth_id:N" is N. The number of every
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

// keyOfNumber returns the owner key of a number with more than 64 bits, or "" if the
// number stands for no key.
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
	if ValidOwner(key) != nil || Number(key) != digits {
		return ""
	}
	return key
}
