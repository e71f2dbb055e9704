package httpapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apitoken/functions/httpapi/machine"
)

var codeForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// TestEveryCodeOfARefusalIsInTheTable reads the source code of events and of this
// package. It takes constants named Code..., values of fields named Code, and the
// codes of refusals and problems that functions create.
func TestEveryCodeOfARefusalIsInTheTable(t *testing.T) {
	table := machine.Codes()
	used := map[string]bool{}
	for _, folder := range []string{"../../events", "."} {
		for _, code := range codesIn(t, folder) {
			used[code] = true
			if !slices.Contains(table, code) {
				t.Errorf("%s: code %q is not in the table", folder, code)
			}
		}
	}
	for _, code := range table {
		if !used[code] {
			t.Errorf("code %q is in the table, but no refusal has it", code)
		}
	}
}

func codesIn(t *testing.T, folder string) (codes []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if code := codeOf(n); codeForm.MatchString(code) {
				codes = append(codes, code)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// creators are the functions with a code as their first argument.
var creators = []string{"NewProblem", "FieldProblem", "refuse"}

// codeOf returns the code that a node gives to a constant, a refusal or a problem,
// or "".
func codeOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ValueSpec:
		if strings.HasPrefix(n.Names[0].Name, "Code") && len(n.Values) == 1 {
			return literal(n.Values[0])
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			return literal(n.Value)
		}
	case *ast.CallExpr:
		f := n.Fun
		if of, ok := f.(*ast.SelectorExpr); ok { // of another package
			f = of.Sel
		}
		if f, ok := f.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains(creators, f.Name) {
			return literal(n.Args[0])
		}
	}
	return ""
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}

// TestEvery403HasTheWordThatEndsRetries: VAST's Go client repeats a request after
// a 403, unless the body contains permission_denied.
func TestEvery403HasTheWordThatEndsRetries(t *testing.T) {
	for code, status := range codes() {
		if (status == 403) != strings.Contains(code, "permission_denied") {
			t.Errorf("%s has status %d", code, status)
		}
	}
}
