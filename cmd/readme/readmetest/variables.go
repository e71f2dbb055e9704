package readmetest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Variables returns the environment variables that the packages below the
// folders read, sorted. The folders are relative to the module's root. Test
// files are skipped.
//
// It finds each call of a function named Getenv, getenv or LookupEnv, or EnvValue,
// EnvPath or EnvBool, which are methods of console.Env, and each call of a function
// of the same package that passes its own parameter on to such a call. A name may be a string literal, an element of a list of literals
// in a range clause, or a literal and a parameter: "AWS_ENDPOINT_URL_"+service
// is reported as AWS_ENDPOINT_URL_SERVICE. The test fails at any other form of
// name, and at another exported function that passes its parameter on, because
// other packages may call it. So no variable is missed.
func Variables(t testing.TB, folders ...string) []string {
	t.Helper()
	var names []string
	for _, folder := range folders {
		found, err := variablesBelow(filepath.Join(moduleRoot(t), folder))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func variablesBelow(root string) (names []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if entry.Name() == "testdata" {
			return filepath.SkipDir
		}
		found, err := variablesOf(path)
		names = append(names, found...)
		return err
	})
	return names, err
}

// variablesOf reads the Go files of one folder.
func variablesOf(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := newEnvPackage()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.add(file)
	}
	return p.variables()
}

// envPackage is one package, seen as readers of the environment.
type envPackage struct {
	files     *token.FileSet
	functions []*ast.FuncDecl
	readers   map[string]int // function name to the index of the argument with the variable's name
}

// knownReaders are the readers that other packages may call.
var knownReaders = map[string]int{"Getenv": 0, "getenv": 0, "LookupEnv": 0, "EnvValue": 0, "EnvPath": 0, "EnvBool": 0}

func newEnvPackage() *envPackage {
	return &envPackage{files: token.NewFileSet(), readers: maps.Clone(knownReaders)}
}

// add takes the functions of a file. A variable that is read outside of a
// function, in an initializer, becomes part of a function without a name.
func (p *envPackage) add(file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			p.functions = append(p.functions, decl)
		case *ast.GenDecl:
			body := &ast.BlockStmt{List: []ast.Stmt{&ast.DeclStmt{Decl: decl}}}
			p.functions = append(p.functions, &ast.FuncDecl{Name: ast.NewIdent(""), Type: &ast.FuncType{Params: &ast.FieldList{}}, Body: body})
		}
	}
}

func (p *envPackage) variables() (names []string, err error) {
	p.findReaders()
	for _, function := range p.functions {
		for _, arg := range p.envArguments(function) {
			found, ok := namesOf(arg, function)
			_, known := knownReaders[function.Name.Name]
			if !ok || found == nil && function.Name.IsExported() && !known {
				return nil, fmt.Errorf("%s: the name of this environment variable cannot be read from the code", p.files.Position(arg.Pos()))
			}
			names = append(names, found...)
		}
	}
	return names, nil
}

// findReaders adds the functions that pass their own parameter on to a reader,
// and then those that pass a parameter on to these.
func (p *envPackage) findReaders() {
	for known := 0; known < len(p.readers); {
		known = len(p.readers)
		for _, function := range p.functions {
			for _, arg := range p.envArguments(function) {
				if index := parameter(function, arg); index >= 0 {
					p.readers[function.Name.Name] = index
				}
			}
		}
	}
}

// envArguments are the arguments of a function's calls of readers that name a
// variable.
func (p *envPackage) envArguments(function *ast.FuncDecl) (args []ast.Expr) {
	if function.Body == nil {
		return nil
	}
	ast.Inspect(function.Body, func(n ast.Node) bool {
		if call, isCall := n.(*ast.CallExpr); isCall {
			if index, ok := p.readers[calledName(call)]; ok && index < len(call.Args) {
				args = append(args, call.Args[index])
			}
		}
		return true
	})
	return args
}

// calledName is the name of a called function or method, without its package
// or receiver.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
