package cli

import "testing"

func TestSizesAreReadAndPrinted(t *testing.T) {
	for text, want := range map[string]struct {
		bytes size
		text  string
	}{
		"1KB": {1000, "1KB"}, "64kb": {64_000, "64KB"}, "100MB": {100_000_000, "100MB"}, "1500KB": {1_500_000, "1500KB"},
		"2000MB": {2_000_000_000, "2GB"}, "1000GB": {1_000_000_000_000, "1000GB"},
	} {
		var s size
		if err := s.Set(text); err != nil || s != want.bytes || s.String() != want.text {
			t.Errorf("%q: got %d, %q, %v, want %d, %q", text, s, s.String(), err, want.bytes, want.text)
		}
	}
	for _, text := range []string{"", "0KB", "KB", "100", "100 MB", "-1MB", "+1MB", "1.5GB", "1001GB", "99999999999999999999GB", "4294967295GB", "1TB", "100MiB", "١MB"} {
		s := size(7)
		if err := s.Set(text); err == nil || s != 7 {
			t.Errorf("%q: got %d and %v, want an error", text, s, err)
		}
	}
}
