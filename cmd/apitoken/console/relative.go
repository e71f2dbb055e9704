package console

import (
	"fmt"
	"time"
)

// relativeTo returns the distance of an instant from now, in the nearest unit: "in 90
// days", "3 hours ago".
func relativeTo(now time.Time) func(time.Time) string {
	return func(t time.Time) string {
		if t.After(now) {
			return "in " + distance(t.Sub(now))
		}
		return distance(now.Sub(t)) + " ago"
	}
}

const day = 24 * time.Hour

func distance(d time.Duration) string {
	for _, u := range []struct {
		name        string
		unit, below time.Duration
	}{
		{"second", time.Second, 90 * time.Second},
		{"minute", time.Minute, 90 * time.Minute},
		{"hour", time.Hour, 36 * time.Hour},
		{"day", day, 2 * 365 * day},
	} {
		if d < u.below {
			return Count(int64(d.Round(u.unit)/u.unit), u.name)
		}
	}
	return Count(int64((d+365*day/2)/(365*day)), "year")
}

// Count returns a number with its unit, which has an s unless the number is 1.
func Count[N int | int64](n N, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
