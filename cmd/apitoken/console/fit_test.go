package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
)

var noon = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

func scene() Table {
	return Table{
		Heads: []string{"ID", "Name", "Owner", "Expiry-date", "Last-used", "Revoked", "Revocation-time"},
		Rows: [][]any{
			{"JhxND7ci", "a token of the nightly build of the whole product", "ann.of.the.other.office@example.com", Expiry(noon.Add(90 * day)), time.Time{}, Revoked(false), time.Time{}},
			{"Pq3aZ0xx", "本番環境用の接続鍵と長い名前の追加部分", "名前", Expiry(noon.Add(-day)), noon.Add(-3 * time.Hour), Revoked(true), noon.Add(-2 * day)},
			{"00000000", "👍🏽🇩🇪👩‍👧 and some more text here", "-", Expiry{}, noon.Add(-time.Minute), Revoked(false), nil},
		},
	}
}

// TestATableFitsEveryTerminal: no line is longer than the terminal, all lines have the
// same length, and ids and dates stay whole.
func TestATableFitsEveryTerminal(t *testing.T) {
	fields := Table{}
	for i, head := range scene().Heads {
		fields.Rows = append(fields.Rows, []any{head, scene().Rows[1][i]})
	}
	for name, table := range map[string]Table{"columns": scene(), "fields": fields} {
		for width := 40; width <= 300; width++ {
			box := fitter{width: width, now: noon}.box(table)
			lines := strings.Split(strings.TrimSuffix(box, "\n"), "\n")
			for _, line := range lines {
				if w := displaywidth.String(line); w > width || w != len(lines[0]) {
					t.Fatalf("%s: at width %d a line has %d columns, the first line %d:\n%s", name, width, w, len(lines[0]), box)
				}
			}
			for _, whole := range []string{"Pq3aZ0xx", "2027-01-30", "2027-01-31", "2027-01-29"} {
				if !strings.Contains(box, whole) {
					t.Fatalf("%s: at width %d, %s is not whole:\n%s", name, width, whole, box)
				}
			}
		}
	}
}

func TestANarrowTerminalGetsWhatMattersMost(t *testing.T) {
	for _, c := range []struct {
		width      int
		has, hasNo []string
	}{
		{300, []string{"2027-05-01 12:00:00 (in 90 days)", "2027-01-31 09:00:00 (3 hours ago)", "of the whole product", "Revocation-time"}, []string{"…"}},
		{180, []string{"2027-05-01 12:00:00 (in 90 days)", "a token of", "…"}, []string{"whole product"}},
		{120, []string{"2027-05-01 12:00:00", "a token of", "…", "Revocation-time"}, []string{"(in"}},
		{80, []string{"2027-05-01", "a tok…", "Revocatio…"}, []string{"12:00:00", "(in"}},
		{60, []string{"| Revocation-time | 2027-01-29 12:00:00 (2 days ago)", "| Name            | 本番"}, []string{"…"}},
	} {
		box := fitter{width: c.width, now: noon}.box(scene())
		for _, want := range c.has {
			if !strings.Contains(box, want) {
				t.Errorf("at width %d, %q is missing:\n%s", c.width, want, box)
			}
		}
		for _, unwanted := range c.hasNo {
			if strings.Contains(box, unwanted) {
				t.Errorf("at width %d, got %q:\n%s", c.width, unwanted, box)
			}
		}
	}
}

// TestAColumnWithoutValuesGivesItsPlaceToOthers: it disappears only if the table does
// not fit with it.
func TestAColumnWithoutValuesGivesItsPlaceToOthers(t *testing.T) {
	live := scene()
	live.Rows = [][]any{live.Rows[0], live.Rows[2]}
	for width, want := range map[int]bool{80: false, 120: true} {
		if box := (fitter{width: width, now: noon}).box(live); strings.Contains(box, "Revocation-time") != want {
			t.Errorf("at width %d: want the column without values: %v, got\n%s", width, want, box)
		}
	}
}

func TestAPipeGetsTheWholeTable(t *testing.T) {
	var out strings.Builder
	e := &Env{Out: &out, Getenv: func(name string) string { return map[string]string{"COLUMNS": "20", "TERM": "xterm"}[name] }}
	if err := e.PrintTable("table", scene()); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "…\x1b") || strings.Contains(s, "ago") || !strings.Contains(s, "| 2027-05-01 12:00:00 | None                | False   | None                |\n") {
		t.Errorf("got\n%s", s)
	}
}

func TestRelativeTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds ago", time.Second: "in 1 second", 89 * time.Second: "in 89 seconds", -90 * time.Second: "2 minutes ago", 90 * day: "in 90 days",
		90*day - time.Second: "in 90 days", -3 * time.Hour: "3 hours ago", 36 * time.Hour: "in 2 days", 35 * time.Hour: "in 35 hours", -729 * day: "729 days ago", 730 * day: "in 2 years", 10 * 365 * day: "in 10 years",
	} {
		if got := relativeTo(noon)(noon.Add(d)); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestTheColourSaysThatATokenDoesNotPassOrSoonWillNot(t *testing.T) {
	for want, cells := range map[string][]any{
		red:    {State("revoked"), State("expired"), Expiry(noon), Expiry(noon.Add(-day)), Revoked(true)},
		yellow: {State("disabled"), Expiry(noon.Add(1)), Expiry(noon.Add(soon - 1))},
		"":     {State("active"), State("\x1b[31m"), Expiry{}, Expiry(noon.Add(soon)), Revoked(false), noon, "revoked", nil, true, 1},
	} {
		for _, cell := range cells {
			if got := colourOf(cell, noon); got != want {
				t.Errorf("%s: got colour %q, want %q", fmt.Sprint(cell), got, want)
			}
		}
	}
}
