package readmetest

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// namesOf are the names that an argument can have. An argument that is a
// parameter of the function has none: the function's callers give them.
func namesOf(arg ast.Expr, function *ast.FuncDecl) (names []string, ok bool) {
	if text, ok := literal(arg); ok {
		return []string{text}, true
	}
	if sum, isSum := arg.(*ast.BinaryExpr); isSum {
		text, isText := literal(sum.X)
		rest, isName := sum.Y.(*ast.Ident)
		if isText && isName {
			return []string{text + strings.ToUpper(rest.Name)}, true
		}
		return nil, false
	}
	if parameter(function, arg) >= 0 {
		return nil, true
	}
	return rangedLiterals(arg, function)
}

// parameter is the index of the function's parameter that the argument is, -1
// if it is none.
func parameter(function *ast.FuncDecl, arg ast.Expr) int {
	index := 0
	for _, field := range function.Type.Params.List {
		for _, param := range field.Names {
			if isNamed(arg, param.Name) {
				return index
			}
			index++
		}
	}
	return -1
}

func isNamed(e ast.Expr, name string) bool {
	ident, isIdent := e.(*ast.Ident)
	return isIdent && ident.Name == name
}

// rangedLiterals are the elements of the list in `for _, arg := range list`.
func rangedLiterals(arg ast.Expr, function *ast.FuncDecl) (texts []string, ok bool) {
	ast.Inspect(function.Body, func(n ast.Node) bool {
		loop, isLoop := n.(*ast.RangeStmt)
		if !isLoop {
			return true
		}
		value, isName := loop.Value.(*ast.Ident)
		list, isList := loop.X.(*ast.CompositeLit)
		if isName && isList && isNamed(arg, value.Name) {
			texts, ok = literals(list.Elts)
		}
		return true
	})
	return texts, ok
}

func literals(elements []ast.Expr) (texts []string, ok bool) {
	for _, element := range elements {
		text, isText := literal(element)
		if !isText {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

func literal(e ast.Expr) (string, bool) {
	lit, isLit := e.(*ast.BasicLit)
	if !isLit || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}
