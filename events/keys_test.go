package events_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"apitoken/events"
)

// TestMACIsHMACSHA256 uses test case 6 of RFC 4231. The key of that test case is
// long enough for a pepper.
func TestMACIsHMACSHA256(t *testing.T) {
	k := keys(t, "a:"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xaa}, 131)))
	const want = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				got, err := k.MAC("a", []byte("Test Using Larger Than Block-Size Key - Hash Key First"))
				if err != nil || hex.EncodeToString(got) != want {
					t.Errorf("got %x, %v, want %s", got, err, want)
				}
			}
		})
	}
	all.Wait()
}

func TestTheFirstPepperIsCurrentAndAllVerify(t *testing.T) {
	k := keys(t, pepperB+","+pepperA)
	if k.Current() != "b" {
		t.Errorf("got current %q, want b", k.Current())
	}
	a, errA := k.MAC("a", nil)
	b, errB := k.MAC("b", nil)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("got %x %v and %x %v, want two different MACs", a, errA, b, errB)
	}
	if _, err := k.MAC("c", nil); !errors.Is(err, events.ErrUnknownKid) {
		t.Errorf("got %v, want ErrUnknownKid", err)
	}
}

func TestKeysRefuseBadPeppersWithoutShowingThem(t *testing.T) {
	const pepper = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
	for name, text := range map[string]string{
		"nothing":        "",
		"no kid":         pepper,
		"an empty kid":   ":" + pepper,
		"a long kid":     strings.Repeat("k", 17) + ":" + pepper,
		"a kid with _":   "a_b:" + pepper,
		"a short pepper": "a:" + base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"no base64":      "a:" + pepper[1:],
		"a kid twice":    "a:" + pepper + ",a:" + pepper,
		"a last comma":   "a:" + pepper + ",",
	} {
		k, err := events.ParseKeys(text)
		if err == nil {
			t.Errorf("%s: got %v, want an error", name, k)
		} else if strings.Contains(err.Error(), pepper[1:20]) {
			t.Errorf("%s: the error shows the pepper: %v", name, err)
		}
	}
}

func TestKeysPrintWithoutPeppers(t *testing.T) {
	k := keys(t, "k1:"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("pepper!!"), 4)))
	type holder struct{ k events.Keys }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{k, &k, holder{k}, &holder{k}, []events.Keys{k}, map[string]events.Keys{"": k}} {
			got := fmt.Sprintf(verb, v)
			for _, shape := range []string{"%s", "%x", "%X", "%d"} {
				pepper := strings.Trim(fmt.Sprintf(shape, []byte("pepper!!")), "[]")
				if strings.Contains(got, pepper) {
					t.Errorf("%s of %T shows the pepper: %s", verb, v, got)
				}
			}
		}
	}
}
