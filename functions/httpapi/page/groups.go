package page

import (
	"net/http"
	"net/url"
	"strings"

	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// groupPage is the form with the permissions that one group gives.
type groupPage struct {
	Group httpapi.Group // the zero Group: the person names a new one in the form
	Form  *form
}

// groupFields maps the members of the call to the fields of the form.
var groupFields = map[string]string{"alias": "alias", "group": "group", "permissions": "permission"}

// showGroup shows the group that the address names, or asks for one.
func (v *visit) showGroup() error { return v.renderGroup(http.StatusOK, newForm(url.Values{})) }

func (v *visit) renderGroup(status int, f *form) error {
	q, body, title := v.r.URL.Query(), groupPage{Form: f}, "New group"
	known, err := v.groupGiven(q.Get("alias"), q.Get("group"))
	switch {
	case err != nil:
		return err
	case q.Has("group") && known == nil:
		v.failed(http.StatusNotFound, "There is no such group", "No group with this name gives permissions.", "")
		return nil
	case known != nil:
		body.Group, title = *known, "Group "+known.Group
	}
	v.render(status, "group", view{Title: title, Body: body})
	return nil
}

// groupGiven returns a group that gives permissions, nil if this one gives none.
func (v *visit) groupGiven(alias, group string) (*httpapi.Group, error) {
	all, err := v.api.Groups(v.context())
	for _, g := range all.Groups {
		if g.Alias == alias && g.Group == group {
			return &g, err
		}
	}
	return nil, err
}

// setGroup changes what a group gives. The address names a group that gives
// permissions already, and the form a new one.
func (v *visit) setGroup() error {
	q, sent := v.r.URL.Query(), v.r.PostForm
	in := httpapi.Group{Alias: q.Get("alias"), Group: q.Get("group"), Permissions: sent["permission"]}
	f := newForm(url.Values{"permission": in.Permissions})
	if !q.Has("group") {
		in.Alias, in.Group = strings.TrimSpace(sent.Get("alias")), strings.TrimSpace(sent.Get("group"))
		if err := v.checkNewGroup(f, in); err != nil {
			return err
		}
	}
	status := http.StatusUnprocessableEntity
	if f.ok() {
		_, err := v.api.SetGroup(v.context(), in)
		if err == nil {
			redirect(v.w, "settings?done=grouped")
			return nil
		}
		if status, err = f.take(err, groupFields); err != nil {
			return err
		}
	}
	return v.renderGroup(status, f)
}

// checkNewGroup records what is wrong with the form of a new group.
func (v *visit) checkNewGroup(f *form, in httpapi.Group) error {
	f.Values.Set("alias", in.Alias)
	f.Values.Set("group", in.Group)
	f.hideTokens("alias", "group")
	f.check("alias", name.CheckAlias(in.Alias))
	known, err := v.groupGiven(in.Alias, in.Group)
	switch {
	case in.Group == "":
		f.wrong("group", "Enter the name of the group.")
	case known != nil:
		f.wrong("group", "This group gives permissions already. Choose it in the settings to change them.")
	}
	if len(in.Permissions) == 0 {
		f.wrong("permission", "Choose at least one permission.")
	}
	return err
}
