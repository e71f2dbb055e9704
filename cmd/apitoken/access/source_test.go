package access

import (
	"errors"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/console"
)

// sourceRows has a line for each combination of what gives an address, a token and
// certificates (F: a flag, V: a variable, -: nothing), and what then gives all of them
// (g: flags and variables, c: the context, x: an error) for these choices of a context:
// none, the current context, APITOKEN_CONTEXT, --context.
const sourceRows = `
--- gccc
--F gxxx
--V gxxx
-F- gxxx
-FF gxxx
-FV gxxx
-V- gxxx
-VF gxxx
-VV gxxx
F-- gxxx
F-F gxxx
F-V gxxx
V-- gxxx
V-F gxxx
V-V gxxx
FF- gggx
FFF gggx
FFV gggx
FV- gggx
FVF gggx
FVV gggx
VF- gggx
VFF gggx
VFV gggx
VV- gggc
VVF gggx
VVV gggc`

func TestAllOfACallComesFromOneSource(t *testing.T) {
	choices := []choice{{}, {name: "prod"}, {name: "prod", by: "APITOKEN_CONTEXT"}, {name: "prod", by: "--context"}}
	rows := strings.Split(strings.TrimSpace(sourceRows), "\n")
	if len(rows) != 27 {
		t.Fatalf("the table has %d combinations, want 27", len(rows))
	}
	for _, row := range rows {
		g := givenOf(row)
		for i, c := range choices {
			used, err := useContext(g, c)
			checkSource(t, g, c, row[4+i], used, err)
		}
	}
}

func givenOf(row string) given {
	name := func(i int, flag, variable string) string {
		return map[byte]string{'F': flag, 'V': variable, '-': ""}[row[i]]
	}
	return given{name(0, "--url", "APITOKEN_URL"), name(1, "--token-file", "APITOKEN_TOKEN_FILE"), name(2, "--ca-file", "APITOKEN_CA_FILE")}
}

func checkSource(t *testing.T, g given, c choice, want byte, used bool, err error) {
	t.Helper()
	got := byte('g')
	switch {
	case err != nil:
		got = 'x'
	case used:
		got = 'c'
	}
	if got != want {
		t.Errorf("%+v, %+v: got %c (%v), want %c", g, c, got, err, want)
	}
	if err == nil {
		return
	}
	if _, isUsage := errors.AsType[*console.UsageError](err); !isUsage {
		t.Errorf("%+v, %+v: %v is no error of usage", g, c, err)
	}
	if first := g.names(anyName)[0]; c.by != contextFlag && !(strings.Contains(err.Error(), first) && strings.Contains(err.Error(), c.name)) {
		t.Errorf("%+v, %+v: %q does not name %s and the context", g, c, err, first)
	}
}
