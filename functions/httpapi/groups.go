package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"apitoken/events/settings"
	"apitoken/functions/httpapi/machine"
)

// Group is a group of an identity provider, with the actions on the realm "security"
// that it gives to the sessions of its members.
type Group struct {
	Alias       string   `json:"alias"`       // of the identity provider
	Group       string   `json:"group"`       // as the provider names it
	Permissions []string `json:"permissions"` // of view, create, edit, delete; none: the group gives none
}

// Groups are all groups that give permissions.
type Groups struct {
	Groups []Group `json:"groups"`
}

func (x exchange) groups() (machine.Answer, error) {
	set, err := x.Config.Issuer.Settings(x.Request.Context(), x.Principal)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading the groups: %w", err)
	}
	out := Groups{Groups: []Group{}}
	for _, g := range set.AllGroups() {
		out.Groups = append(out.Groups, Group{Alias: g.Alias, Group: g.Group, Permissions: g.Actions})
	}
	return machine.Answer{Body: out}, nil
}

// setGroup has the group in the body: its name may have any character, and a slash in a
// path would be another path.
func (x exchange) setGroup() (machine.Answer, error) {
	var in Group
	err := x.Decode(
		machine.Value(settings.FieldAlias, "a string: the alias of an identity provider", &in.Alias),
		machine.Value(settings.FieldGroup, "a string: the group, as the identity provider names it", &in.Group),
		machine.Value(settings.FieldPermissions, "a list of view, create, edit, delete", &in.Permissions),
	)
	if err != nil {
		return machine.Answer{}, err
	}
	if in.Permissions == nil { // an empty body must not take every permission
		return machine.Answer{}, machine.FieldProblem("invalid_field", settings.FieldPermissions, "is missing or null; give the list of all permissions that the group shall give, [] for none")
	}
	if err := machine.NoToken(machine.Text(settings.FieldAlias, in.Alias), machine.Text(settings.FieldGroup, in.Group)); err != nil {
		return machine.Answer{}, err
	}
	set, err := x.Config.Issuer.SetGroup(x.Request.Context(), x.Principal, in.Alias, in.Group, in.Permissions)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing a group: %w", err)
	}
	return machine.Answer{Body: Group{Alias: in.Alias, Group: in.Group, Permissions: orEmpty(set.Groups[in.Alias][in.Group])}}, nil
}

// Groups returns all groups that give permissions to sessions. It takes view or edit.
func (c *Client) Groups(ctx context.Context) (Groups, error) {
	return ask[Groups](ctx, c, http.MethodGet, groupsPath, nil, nil)
}

// SetGroup lets a group give exactly these permissions to the sessions of its members,
// from their next sign-in. It takes edit, and each permission that it gives or takes.
func (c *Client) SetGroup(ctx context.Context, g Group) (Group, error) {
	g.Permissions = orEmpty(g.Permissions)
	return ask[Group](ctx, c, http.MethodPut, groupsPath, nil, g)
}
