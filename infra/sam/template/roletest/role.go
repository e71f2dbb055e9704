// Package roletest compares the calls that a function makes on DynamoDB with the
// statements of its role in template.yaml. A client of Role.Client refuses a call
// that no statement allows, as AWS does, and records it.
//
// It knows the conditions that template.yaml uses, as the AWS documentation
// describes them: "Using IAM policy conditions for fine-grained access control"
// in the Amazon DynamoDB Developer Guide, and "Set operators for multi-valued
// context keys" in the IAM User Guide. A condition that it does not know allows
// nothing. It does not check that AWS does the same.
//
// Only tests use this package.
package roletest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"apitoken/infra/sam/template"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Role is what a function may do on the tables. Many goroutines may use one Role.
type Role struct {
	statements []template.Object
	tables     map[string]string // logical names by names of tables

	mu     sync.Mutex
	used   map[string]bool // statement and action
	denied []string
}

// Of returns the role of a function. tables has the name in template.yaml of each
// table that the function may use, by the name of the table.
func Of(t testing.TB, function string, tables map[string]string) *Role {
	t.Helper()
	all, err := template.Read(find(t, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	statements := template.Statements(all, template.Logical(function, "Role"))
	if len(statements) == 0 {
		t.Fatalf("template.yaml has no statements of a role of %s", function)
	}
	return &Role{statements: statements, tables: tables, used: map[string]bool{}}
}

// find returns the path of a file in the working directory or in one above it.
func find(t testing.TB, name string) string {
	t.Helper()
	for path := name; len(path) < 100; path = filepath.Join("..", path) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("no folder above has %s", name)
	return ""
}

// Client returns the client with the rights of the role.
func (r *Role) Client(c *dynamodb.Client) *dynamodb.Client {
	check := middleware.InitializeMiddlewareFunc("role", r.check)
	return dynamodb.New(c.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(slices.Clone(o.APIOptions), func(s *middleware.Stack) error { return s.Initialize.Add(check, middleware.Before) })
	})
}

func (r *Role) check(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err := r.Allow(in.Parameters); err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, err
	}
	return next.HandleInitialize(ctx, in)
}

// Allow returns nil if the role may make the SDK call with this input. Otherwise
// it records the call and returns AWS's error.
func (r *Role) Allow(input any) error {
	calls, err := CallsOf(input)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range calls {
		if !r.allows(c) {
			err = fmt.Errorf("the role may not %v", c)
		}
	}
	if err == nil {
		return nil
	}
	r.denied = append(r.denied, err.Error())
	return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: err.Error()}
}

// Check fails the test for each call that was refused, and for each right on the
// tables that no call needed. spare has the rights that the test does not need,
// as "STATEMENT ACTION", with the reason.
func (r *Role) Check(t testing.TB, spare map[string]string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.denied {
		t.Error(d)
	}
	rights := r.rights()
	for _, right := range rights {
		if !r.used[right] && spare[right] == "" {
			t.Errorf("no call needs the right %q", right)
		}
	}
	for right := range spare {
		if r.used[right] || !slices.Contains(rights, right) {
			t.Errorf("the right %q is needed, or there is no such right", right)
		}
	}
}

// rights returns the rights on the tables, as "STATEMENT ACTION".
func (r *Role) rights() (all []string) {
	for _, s := range r.statements {
		for _, table := range slices.Collect(maps.Values(r.tables)) {
			if resource := resourceOf(s["Resource"]); resource == table || strings.HasPrefix(resource, table+"/") {
				for _, action := range texts(s["Action"]) {
					all = append(all, right(s, action))
				}
			}
		}
	}
	return all
}

func right(s template.Object, action string) string { return fmt.Sprint(s["Sid"], " ", action) }

// allows reports whether a statement allows the call, and notes all that do.
func (r *Role) allows(c Call) bool {
	resource := r.tables[c.Table]
	if c.Index != "" {
		resource += "/index/" + c.Index
	}
	allowed := false
	for _, s := range r.statements {
		if s["Effect"] == "Allow" && slices.Contains(texts(s["Action"]), c.Action) && resourceOf(s["Resource"]) == resource && holds(s["Condition"], c) {
			r.used[right(s, c.Action)], allowed = true, true
		}
	}
	return allowed
}

// resourceOf returns TABLE, or TABLE/index/INDEX, for the ARN of a table or of an
// index, and "" for other resources.
func resourceOf(v any) string {
	if att := texts(template.At(v, "Fn::GetAtt")); len(att) == 2 && att[1] == "Arn" {
		return att[0]
	}
	sub, _ := template.At(v, "Fn::Sub").(string)
	table, index, found := strings.Cut(strings.TrimPrefix(sub, "${"), ".Arn}/index/")
	if !found {
		return ""
	}
	return table + "/index/" + index
}

// texts returns a text, or a list of texts, as a list.
func texts(v any) (all []string) {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	l, _ := v.([]any)
	for _, e := range l {
		text, _ := e.(string)
		all = append(all, text)
	}
	return all
}
