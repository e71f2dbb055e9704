package telemetry

import (
	"bytes"
	"maps"
	"testing"
	"time"
)

// TestToKeepAndKeptCountAMessageForTheSameMinute whenever the lines are written, so
// that no alarm sees one without the other. That minute is later than both lines.
func TestToKeepAndKeptCountAMessageForTheSameMinute(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	times := []time.Time{noon.Add(-time.Nanosecond), noon, noon.Add(59 * time.Second), noon.Add(time.Minute)}
	want := map[time.Time]float64{noon.Add(29 * time.Minute): 1, noon.Add(30 * time.Minute): 2, noon.Add(31 * time.Minute): 1}
	published, kept := noon.Add(59*time.Second), noon.Add(90*time.Second) // in two minutes
	if got := countsOf(t, ToKeep, published, times); !maps.Equal(got, want) {
		t.Errorf("ToKeep: got %v, want %v", got, want)
	}
	if got := countsOf(t, Kept, kept, times); !maps.Equal(got, want) {
		t.Errorf("Kept: got %v, want %v", got, want)
	}
	for due := range want {
		if !due.After(kept.Add(20*time.Minute)) || due.After(published.Add(2*time.Hour)) {
			t.Errorf("%v is too early or later than CloudWatch accepts", due)
		}
	}
}

// TestOnlyMessagesWithTimeForTheirCopyAreCounted: a message that is published late is
// counted only if its copy can still be counted. An old message of a replay is counted
// by neither.
func TestOnlyMessagesWithTimeForTheirCopyAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 30, 0, time.UTC)
	for _, c := range []struct {
		age          time.Duration
		toKeep, kept bool
	}{
		{0, true, true},
		{24*time.Minute + 59*time.Second, true, true},
		{25 * time.Minute, false, true},
		{29*time.Minute + 59*time.Second, false, true},
		{30 * time.Minute, false, false},
		{20 * 24 * time.Hour, false, false}, // older than the two weeks that CloudWatch accepts
	} {
		times := []time.Time{now.Add(-c.age)}
		if got := len(countsOf(t, ToKeep, now, times)) > 0; got != c.toKeep {
			t.Errorf("published at the age of %v: counted %t, want %t", c.age, got, c.toKeep)
		}
		if got := len(countsOf(t, Kept, now, times)) > 0; got != c.kept {
			t.Errorf("kept at the age of %v: counted %t, want %t", c.age, got, c.kept)
		}
	}
}

// countsOf returns the counts of a metric by their minute.
func countsOf(t *testing.T, name string, now time.Time, times []time.Time) map[time.Time]float64 {
	t.Helper()
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Function: "f"})
	if name == Kept {
		LogKept(t.Context(), log, now, times)
	} else {
		LogToKeep(t.Context(), log, now, times)
	}
	got := map[time.Time]float64{}
	for _, line := range lines(t, &out) {
		at := time.UnixMilli(int64(line["_aws"].(map[string]any)["Timestamp"].(float64))).UTC()
		got[at], _ = line[name].(float64)
	}
	return got
}
