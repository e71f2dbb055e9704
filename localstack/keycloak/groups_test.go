package keycloak_test

import (
	"slices"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/localstack/keycloak"
)

// TestGroupsBecomePermissionsAtEachSignIn: the table of the settings maps a group of
// Keycloak to permissions. They are those of the session, and of nothing else.
func TestGroupsBecomePermissionsAtEachSignIn(t *testing.T) {
	s := newScene(t)
	before := s.signIn(keycloak.Ann)
	s.permissions("before there is a table", before)
	s.mapGroup("storage-admins", "view", "create")
	s.permissions("the older session", before)
	ann, bob := s.signIn(keycloak.Ann), s.signIn(keycloak.Bob)
	s.permissions("Ann, who is in the group", ann, "create", "view")
	s.permissions("Bob, who is not", bob)
	if held, err := s.admin.Permissions(t.Context(), ann.User.AuthID); err != nil || len(held.Permissions) != 0 {
		t.Errorf("Ann was granted %v, %v", held.Permissions, err)
	}

	keycloak.Connect(t).LeaveGroup(t, keycloak.Ann, "storage-admins")
	s.permissions("the session from before she left", ann, "create", "view")
	s.permissions("after she left", s.signIn(keycloak.Ann))
}

// permissions checks what a session may do for others.
func (s *scene) permissions(when string, in signedIn, want ...string) {
	s.Helper()
	who, err := in.Client.WhoAmI(s.Context())
	if err != nil {
		s.Errorf("%s: %v", when, err)
	}
	slices.Sort(who.Permissions)
	if !slices.Equal(who.Permissions, want) {
		s.Errorf("%s: got the permissions %q, want %q", when, who.Permissions, want)
	}
}

// mapGroup lets a group of Keycloak give exactly these permissions.
func (s *scene) mapGroup(group string, permissions ...string) {
	s.Helper()
	if _, err := s.admin.SetGroup(s.Context(), httpapi.Group{Alias: alias, Group: group, Permissions: permissions}); err != nil {
		s.Fatal(err)
	}
}
