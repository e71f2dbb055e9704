package bolt

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"apitoken/events"

	"pgregory.net/rapid"
)

// randomView draws a view with any of its members.
func randomView(t *rapid.T) events.View {
	texts, macs := rapid.String(), rapid.SliceOf(rapid.Byte())
	instants := rapid.Map(rapid.Int64Range(year1, 1<<50), func(n int64) time.Time { return time.UnixMicro(n).UTC() })
	prefixes := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"); rapid.Bool().Draw(t, "short") {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), rapid.IntRange(0, 32).Draw(t, "bits"))
		} else {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte(b)), rapid.IntRange(0, 128).Draw(t, "bits"))
		}
	})
	verifiers := rapid.Custom(func(t *rapid.T) events.Verifier {
		return events.Verifier{Kid: texts.Draw(t, "kid"), MAC: macs.Draw(t, "mac")}
	})
	return events.View{
		Owner: texts.Draw(t, "owner"), Creator: texts.Draw(t, "creator"), Name: texts.Draw(t, "name"), Description: texts.Draw(t, "description"),
		Verifier: verifiers.Draw(t, "verifier"), Outgoing: verifiers.Draw(t, "outgoing"), Seal: verifiers.Draw(t, "seal"),
		CreatedAt: instants.Draw(t, "created"), ExpiresAt: instants.Draw(t, "expires"), EndedAt: instants.Draw(t, "ended"),
		KeepUntil: instants.Draw(t, "keep"), OutgoingUntil: instants.Draw(t, "until"),
		Disabled: rapid.Bool().Draw(t, "disabled"), Suspended: rapid.Bool().Draw(t, "suspended"),
		Scopes: rapid.SliceOfN(texts, 0, 30).Draw(t, "scopes"), SourceIPs: rapid.SliceOfN(prefixes, 0, 30).Draw(t, "sources"),
		First: rapid.Uint64().Draw(t, "first"), Seq: rapid.Uint64().Draw(t, "seq"), Rotated: rapid.Uint64().Draw(t, "rotated"),
		Ended: rapid.SampledFrom([]events.Ending{"", events.EndedRevoked, events.EndedExpired}).Draw(t, "ending"),
	}
}

// TestReaderReadsWhatTheLibraryWrites: no stored view or use needs the library, and
// the library reads the same from it.
func TestReaderReadsWhatTheLibraryWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := encoded(t, itemOfView(randomView(t)))
		if _, ok := readView(view); !ok {
			t.Fatalf("the reader does not read the view %x", view)
		}
		use := encoded(t, useItem{At: instant(rapid.Int64Range(0, 1<<62).Draw(t, "at")), Address: rapid.String().Draw(t, "address")})
		if _, ok := readUse(use); !ok {
			t.Fatalf("the reader does not read the use %x", use)
		}
		compareReaders(t, view)
		compareReaders(t, use)
	})
}

// TestEveryMemberOfAViewIsRead, also one that a later version adds.
func TestEveryMemberOfAViewIsRead(t *testing.T) {
	var i viewItem
	full := reflect.ValueOf(&i).Elem()
	for n := range full.NumField() {
		switch f := full.Field(n); f.Kind() {
		case reflect.String:
			f.SetString("text")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int64:
			f.SetInt(1 << 40)
		case reflect.Uint64:
			f.SetUint(1 << 40)
		case reflect.Slice:
			switch f.Interface().(type) {
			case []byte:
				f.SetBytes([]byte("mac"))
			case []string:
				f.Set(reflect.ValueOf([]string{"GET /v1/*"}))
			case []netip.Prefix:
				f.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
			}
		}
		if full.Field(n).IsZero() {
			t.Fatalf("the test has no value for the member %s", full.Type().Field(n).Name)
		}
	}
	if got, ok := readView(encoded(t, i)); !ok || !reflect.DeepEqual(got, i) {
		t.Errorf("got %+v, %t, want %+v", got, ok, i)
	}
}

// FuzzReader: the reader reads the same as the library, or leaves the value to it.
func FuzzReader(f *testing.F) {
	for seed := range 20 {
		f.Add(encoded(f, itemOfView(rapid.Custom(randomView).Example(seed))))
	}
	f.Add(encoded(f, useItem{At: 1 << 40, Address: "192.0.2.1"}))
	for _, b := range plantedValues {
		f.Add(b)
	}
	for _, text := range []string{
		"\xa2\x01\x61a\x01\x61b",                 // a member twice
		"\xa2\x02\x61a\x01\x61b",                 // not in their order
		"\xa1\x18\x01\x61a", "\xa1\x01\x78\x01a", // longer than necessary
		"\xbf\x01\x61a\xff", "\xa1\x01\x7f\x61a\xff", // of indefinite length
		"\xa1\x01\xf6", "\xa1\x01\xf7", "\xa1\x09\xf6", // null and undefined
		"\xa1\x18\x18\x00", "\xa1\x00\x00", "\xa1\x20\x00", // unknown members
		"\xa1\x07\x1b\xff\xff\xff\xff\xff\xff\xff\xff", // a time that is too large
		"\xa1\x07\x20", "\xa1\x07\xc1\x00", // a negative time, a tag
		"\xa1\x0a\x9a\xff\xff\xff\xff", "\xa1\x0a\x80", // a list that is too long, an empty one
		"\xa1\x0b\x81\x41\x00", "\xa1\x06\x40", // a range that is none, an empty MAC
		"\xa0\x00", "\xa1\x01\x61\xff", // more after the end, a text that is not UTF-8
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compareReaders(t, b) })
}

func compareReaders(t rapid.TB, b []byte) {
	t.Helper()
	if got, ok := readView(b); ok {
		var want viewItem
		if err := decode(b, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("the view %x: got %+v, the library reads %+v, %v", b, got, want, err)
		}
	}
	if got, ok := readUse(b); ok {
		var want useItem
		if err := decode(b, &want); err != nil || got != want {
			t.Fatalf("the use %x: got %+v, the library reads %+v, %v", b, got, want, err)
		}
	}
}

func encoded(t rapid.TB, item any) []byte {
	t.Helper()
	b, err := encode(item)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkDecodeView(b *testing.B) {
	view := encoded(b, itemOfView(events.View{
		ID: "t0000001", Owner: "owner1", Creator: "admin", Name: "owner_api_token", Verifier: events.Verifier{Kid: "1", MAC: make([]byte, 32)},
		CreatedAt: time.Now(), ExpiresAt: time.Now(), First: 1, Seq: 1, Seal: events.Verifier{Kid: "1", MAC: make([]byte, 32)},
		Scopes: []string{"GET /v1/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}))
	b.Run("reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := readView(view); !ok {
				b.Fatal("the reader does not read the view")
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var i viewItem
			if err := decode(view, &i); err != nil {
				b.Fatal(err)
			}
		}
	})
}
