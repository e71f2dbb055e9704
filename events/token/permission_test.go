package token

import (
	"reflect"
	"testing"

	"apitoken/events"
)

// permissions has one row for each command: the command about a token of bob, and
// the one permission that another user needs for it.
var permissions = []struct {
	command func(by Maker) Command
	want    string
}{
	{func(by Maker) Command { return ann(func(c *Create) { c.By, c.Owner = by, "bob" }) }, "create"},
	{func(by Maker) Command { return Revoke{At: noon, Policy: five, By: by, ID: "L7k8ljIC", Owner: "bob"} }, "delete"},
}

// holders are makers with one permission each, by that permission.
var holders = map[string]Maker{
	"create": {Owner: "ann", MayCreate: true},
	"edit":   {Owner: "ann", MayEdit: true},
	"delete": {Owner: "ann", MayDelete: true},
	"no":     {Owner: "ann"},
}

// TestEveryCommandNeedsItsOwnPermission: the owner and an operator need none.
func TestEveryCommandNeedsItsOwnPermission(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range permissions {
		name := reflect.TypeOf(c.command(Maker{})).Name()
		rows[name] = true
		for held, by := range holders {
			err := Check(c.command(by))
			if held == c.want && err != nil {
				t.Errorf("%s by a maker with the permission %s: got %v", name, held, err)
			}
			if held != c.want && !denied(err) {
				t.Errorf("%s by a maker with %s permission: got %v, want %s", name, held, err, CodePermissionDenied)
			}
		}
		for _, by := range []Maker{{Owner: "bob"}, {Owner: Operator, Operator: true}} {
			if err := Check(c.command(by)); err != nil {
				t.Errorf("%s by %s: got %v", name, by.Owner, err)
			}
		}
	}
	for _, name := range declaredCommands(t) {
		if !rows[name] {
			t.Errorf("permissions (permission_test.go) has no row for the command %s", name)
		}
	}
}

func denied(err error) bool {
	r, ok := err.(*events.Refusal)
	return ok && r.Code == CodePermissionDenied
}
