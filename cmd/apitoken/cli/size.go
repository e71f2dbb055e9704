package cli

import (
	"errors"
	"strconv"
	"strings"
)

// size is a flag with a number of bytes, such as 100MB.
type size int64

const (
	kilobyte = 1000
	megabyte = 1000 * kilobyte
	gigabyte = 1000 * megabyte
	maxSize  = 1000 * gigabyte
)

var errSize = errors.New("it must be a whole number with a unit; allowed: 1KB to 1000GB, with the units KB, MB and GB")

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	for unit, bytes := range map[string]int64{"KB": kilobyte, "MB": megabyte, "GB": gigabyte} {
		digits, ok := strings.CutSuffix(strings.ToUpper(text), unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 || int64(n) > maxSize/bytes {
			return errSize
		}
		*s = size(int64(n) * bytes)
		return nil
	}
	return errSize
}

// String is the size in the largest unit that divides it.
func (s *size) String() string {
	n := int64(*s)
	switch {
	case n%gigabyte == 0:
		return strconv.FormatInt(n/gigabyte, 10) + "GB"
	case n%megabyte == 0:
		return strconv.FormatInt(n/megabyte, 10) + "MB"
	}
	return strconv.FormatInt(n/kilobyte, 10) + "KB"
}

// Type is the name of the value in help texts.
func (*size) Type() string { return "size" }
