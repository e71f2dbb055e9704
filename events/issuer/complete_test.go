package issuer_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIssuerMakesEveryCommand reads the commands from the source. No caller can
// give a command that the issuer does not make.
func TestIssuerMakesEveryCommand(t *testing.T) {
	source := sourceWithoutTests(t)
	for _, name := range declaredCommands(t) {
		if !strings.Contains(source, "token."+name+"{") {
			t.Errorf("no file of events/issuer makes the command token.%s", name)
		}
	}
}

func sourceWithoutTests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// declaredCommands are the types of events/token/command.go with a method command.
func declaredCommands(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join("..", "token", "command.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "command" {
			names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	if len(names) == 0 {
		t.Fatal("command.go has no commands")
	}
	return names
}
