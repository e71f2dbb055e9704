package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
)

// mustExist reports whether the store may not have removed the view yet. It is
// false if the end of the view's retention is not known.
func (x expected) mustExist(now time.Time) bool {
	if x.Ended == "" {
		return true
	}
	return x.keepsEnd && (x.KeepUntil.IsZero() || now.Before(x.KeepUntil))
}

// compare returns a finding that names the fields in which the stored view
// differs, nil if there are none. An older sequence means that the whole view was
// put back.
func (x expected) compare(v events.View) *audit.Finding {
	names := x.differing(v)
	if len(names) == 0 {
		return nil
	}
	f := audit.View(audit.Differs, x.ID, fmt.Sprintf("the view differs from event %d about the token: %s", x.Seq, strings.Join(names, ", ")))
	if v.Seq < x.Seq {
		f = audit.View(audit.RolledBack, x.ID, fmt.Sprintf("the view is that of event %d, and event %d is the last one about the token", v.Seq, x.Seq))
	}
	return &f
}

func (x expected) differing(v events.View) (names []string) {
	for _, field := range []struct {
		name  string
		same  bool
		known bool
	}{
		{"owner", x.Owner == v.Owner, true},
		{"creator", x.Creator == v.Creator, !x.partial},
		{"name", x.Name == v.Name, !x.partial},
		{"description", x.Description == v.Description, !x.partial},
		{"created_at", x.CreatedAt.Equal(v.CreatedAt), !x.partial},
		{"expires_at", x.ExpiresAt.Equal(v.ExpiresAt), !x.partial},
		{"enabled", x.Disabled == v.Disabled, !x.partial},
		{"suspended", x.Suspended == v.Suspended, !x.partial},
		{"end of the outgoing secret", x.OutgoingUntil.Equal(v.OutgoingUntil), !x.partial},
		{"last rotation", x.Rotated == v.Rotated, !x.partial},
		{"scopes", slices.Equal(x.Scopes, v.Scopes), !x.partial},
		{"source_ips", slices.Equal(x.SourceIPs, v.SourceIPs), !x.partial},
		{"kind", x.Kind == v.Kind, true},
		{"via", x.Via == v.Via, !x.partial},
		{"permissions", slices.Equal(x.Permissions, v.Permissions), !x.partial},
		{"makes_until", x.MakesUntil.Equal(v.MakesUntil), !x.partial},
		{"opened_with", x.From == v.From, !x.partial},
		{"ui", x.UI == v.UI, !x.partial},
		{"first sequence", x.First == v.First, !x.partial},
		{"sequence", x.Seq == v.Seq, true},
		{"ended", x.Ended == v.Ended, true},
		{"ended_at", x.EndedAt.Equal(v.EndedAt), true},
		{"end of retention", x.KeepUntil.Equal(v.KeepUntil), x.Ended == "" || x.keepsEnd},
	} {
		if field.known && !field.same {
			names = append(names, field.name)
		}
	}
	return names
}
