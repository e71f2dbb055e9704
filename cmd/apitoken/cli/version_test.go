package cli

import (
	"runtime/debug"
	"testing"
)

// TestVersionNamesCommitAndDate has the forms that the Go tool writes.
func TestVersionNamesCommitAndDate(t *testing.T) {
	commit := []debug.BuildSetting{
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "e58659712cb15f3f1d8f0a5a4e2a8d31bb18f2c1"},
		{Key: "vcs.time", Value: "2026-11-26T19:29:14Z"}, {Key: "vcs.modified", Value: "false"},
	}
	changed := append(commit[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for name, c := range map[string]struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		"a tag in a clone":    {"v1.2.3", commit, "v1.2.3 (commit e58659712cb1, 2026-11-26T19:29:14Z)"},
		"uncommitted changes": {"v1.2.3+dirty", changed, "v1.2.3+dirty (commit e58659712cb1, 2026-11-26T19:29:14Z, with uncommitted changes)"},
		"no tag":              {"(devel)", commit, "(devel) (commit e58659712cb1, 2026-11-26T19:29:14Z)"},
		"a downloaded module": {"v1.2.3", nil, "v1.2.3"},
		"go run":              {"(devel)", nil, "(devel) (commit unknown: built by go run, or without version control)"},
		"no information":      {"", nil, "(devel) (commit unknown: built by go run, or without version control)"},
		"a short revision":    {"v1", []debug.BuildSetting{{Key: "vcs.revision", Value: "42"}, {Key: "vcs.time", Value: "T"}}, "v1 (commit 42, T)"},
	} {
		if got := built(&debug.BuildInfo{Main: debug.Module{Version: c.version}, Settings: c.settings}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
