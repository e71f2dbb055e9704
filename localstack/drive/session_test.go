package drive_test

import (
	"strings"
	"testing"

	"apitoken/localstack/drive"
)

func TestRunWritesTheNewOutputOfEachCommand(t *testing.T) {
	const old = "# A comment: it costs 5$ a day.\nann$ list --all\nold line\nexit 1\n\nbob$ show ID000001\n"
	got := drive.Run(old, func(user string, args []string) string { return user + " ran " + strings.Join(args, ",") + "\n" })
	if want := "# A comment: it costs 5$ a day.\nann$ list --all\nann ran list,--all\n\nbob$ show ID000001\nbob ran show,ID000001\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestShownHasBothOutputsAndTheExitCode(t *testing.T) {
	for _, c := range []struct {
		out, errOut string
		code        int
		want        string
	}{
		{"a\n", "", 0, "a\n"}, {"a", "", 0, "a\n"}, {"", "", 0, ""}, {"a\n\nb\n", "c", 2, "a\nb\nc\nexit 2\n"}, {"", "", 1, "exit 1\n"},
	} {
		if got := drive.Shown(c.out, c.errOut, c.code); got != c.want {
			t.Errorf("%q and %q: got %q, want %q", c.out, c.errOut, got, c.want)
		}
	}
}

func TestIDsAreNumbersOfTheSameLength(t *testing.T) {
	var ids drive.IDs
	for _, id := range []string{"JhxND7ci", "b2Kq81Zs", "JhxND7ci"} {
		ids.Note(id)
	}
	const text, masked = "b2Kq81Zs and JhxND7ci", "ID000002 and ID000001"
	if got := ids.Mask(text); got != masked {
		t.Errorf("got %q, want %q", got, masked)
	}
	if got := ids.Real(t, "apitokens/ID000002/revoke"); got != "apitokens/b2Kq81Zs/revoke" {
		t.Errorf("got %q", got)
	}
}
