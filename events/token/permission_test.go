package token

import (
	"reflect"
	"strings"
	"testing"

	"apitoken/events"
)

// permissions has one row for each command: the command about a token of bob, and
// the one permission that another user needs for it.
var permissions = []struct {
	command func(by Maker) Command
	want    string
	self    string // the code for the owner itself, who holds no permission
}{
	{func(by Maker) Command { return ann(func(c *Create) { c.By, c.Owner = by, "bob" }) }, "create", ""},
	{func(by Maker) Command { return Revoke{At: noon, Policy: five, By: by, ID: "L7k8ljIC", Owner: "bob"} }, "delete", ""},
	{func(by Maker) Command { return Update{At: noon, By: by, ID: "L7k8ljIC", Owner: "bob"} }, "edit", ""},
	{func(by Maker) Command { return Rotate{At: noon, By: by, ID: "L7k8ljIC", Owner: "bob"} }, "create", ""},
	{func(by Maker) Command { return Suspend{At: noon, By: by, Owner: "bob"} }, "edit", CodePermissionDenied},
	{func(by Maker) Command { return Reinstate{At: noon, By: by, Owner: "bob"} }, "edit", CodePermissionDenied},
	{func(by Maker) Command { return Offboard{At: noon, By: by, Owner: "bob"} }, "edit and delete", CodePermissionDenied},
	{func(by Maker) Command { return SetLimit{At: noon, By: by, Owner: "bob", Limit: new(7)} }, "edit", CodePermissionDenied},
}

// holders are makers with one permission each, by that permission.
var holders = map[string]Maker{
	"create": {Owner: "ann", MayCreate: true},
	"edit":   {Owner: "ann", MayEdit: true},
	"delete": {Owner: "ann", MayDelete: true},

	"edit and delete": {Owner: "ann", MayEdit: true, MayDelete: true},
	"no":              {Owner: "ann"},
}

// TestEveryCommandNeedsItsOwnPermission: the owner and an operator need none.
func TestEveryCommandNeedsItsOwnPermission(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range permissions {
		name := reflect.TypeOf(c.command(Maker{})).Name()
		rows[name] = true
		for held, by := range holders {
			err := Check(c.command(by))
			may := strings.Contains(held, c.want)
			if may && err != nil {
				t.Errorf("%s by a maker with the permission %s: got %v", name, held, err)
			}
			if !may && !denied(err) {
				t.Errorf("%s by a maker with %s permission: got %v, want %s", name, held, err, CodePermissionDenied)
			}
		}
		if err := Check(c.command(Maker{Owner: Operator, Operator: true})); err != nil {
			t.Errorf("%s by an operator: got %v", name, err)
		}
		if err := Check(c.command(Maker{Owner: "bob"})); codeOf(err) != c.self {
			t.Errorf("%s by the owner: got %v, want %q", name, err, c.self)
		}
		if err := Check(c.command(Maker{Owner: "bob", MayCreate: true, MayEdit: true, MayDelete: true, Outgoing: true})); codeOf(err) != CodeDeniedByCredential {
			t.Errorf("%s with an outgoing secret: got %v, want %s", name, err, CodeDeniedByCredential)
		}
	}
	for _, name := range declaredCommands(t) {
		if name == "Expire" || name == "RevokeShown" {
			continue // the service itself gives it; everybody who has the secret may
		}
		if !rows[name] {
			t.Errorf("permissions (permission_test.go) has no row for the command %s", name)
		}
	}
}

// codeOf returns the code of a refusal, empty if there is none.
func codeOf(err error) string {
	if r, ok := err.(*events.Refusal); ok {
		return r.Code
	}
	return ""
}

func denied(err error) bool {
	r, ok := err.(*events.Refusal)
	return ok && r.Code == CodePermissionDenied
}
