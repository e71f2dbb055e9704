package name

import (
	"encoding/binary"
	"math/big"
	"math/bits"
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
	size := max(numberBytes, 1+len(key))
	if size <= 16 {
		return shortNumber(key, size)
	}
	return new(big.Int).SetBytes(append([]byte{1}, key...)).String()
}

// shortNumber is Number for a number of size bytes, at most 16. math/big would need 5
// allocations for each who-am-i.
func shortNumber(key string, size int) string {
	var b [16]byte
	b[len(b)-size] = 1
	copy(b[len(b)-len(key):], key)
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var digits [39]byte // of the largest number with 16 bytes
	at := len(digits)
	for high|low != 0 {
		rest := high % 10
		high /= 10
		low, rest = bits.Div64(rest, low, 10)
		at--
		digits[at] = '0' + byte(rest)
	}
	return string(digits[at:])
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
