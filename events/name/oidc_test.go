package name_test

import (
	"strings"
	"testing"

	"apitoken/events/name"
)

// corpAnn is the key of OwnerOf("corp", "https://id.example.com", "248289761001").
// Checked with: (printf https://id.example.com; printf "\000"; printf 248289761001) | sha256sum | xxd -r -p | base32
const corpAnn = "oidc:corp:7r2p3knp3mj5s4ilvd3sz5zk35"

func TestThePersonAtAnIssuerHasOneKey(t *testing.T) {
	if got := name.OwnerOf("corp", "https://id.example.com", "248289761001"); got != corpAnn {
		t.Errorf("got %s, want %s", got, corpAnn)
	}
	seen := map[string]string{}
	for what, key := range map[string]string{
		"the person":                    corpAnn,
		"another subject":               name.OwnerOf("corp", "https://id.example.com", "248289761002"),
		"another issuer":                name.OwnerOf("corp", "https://id.example.org", "248289761001"),
		"another alias":                 name.OwnerOf("corp-2", "https://id.example.com", "248289761001"),
		"a byte from issuer to subject": name.OwnerOf("corp", "https://id.example.co", "m248289761001"),
	} {
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s have the same key", what, other)
		}
		seen[key] = what
	}
}

// TestAKeyOfAPersonIsAValidOwnerInEachForm: queries, the command line, bodies and
// who-am-i's number lead back to the one key.
func TestAKeyOfAPersonIsAValidOwnerInEachForm(t *testing.T) {
	if err := name.ValidOwner(corpAnn); err != nil {
		t.Fatal(err)
	}
	id := name.IdentityOf(corpAnn)
	if id != (name.Identity{AuthID: corpAnn}) {
		t.Errorf("got the identity %+v, want the key as auth_id and no domain", id)
	}
	for what, i := range map[string]name.Identity{
		"its identity": id, "its number": {AuthID: name.Number(corpAnn)}, "with a displayed name": {AuthID: corpAnn, Name: "Ann"},
		"with a displayed name that is no name of a user": {AuthID: corpAnn, Name: "ann:\u202e"},
	} {
		if key, err := i.Key(); err != nil || key != corpAnn {
			t.Errorf("%s: got %q, %v, want the key", what, key, err)
		}
	}
	if owners, err := name.OwnersNamed(corpAnn); err != nil || len(owners) != 1 || owners[0] != corpAnn {
		t.Errorf("a filter: got %v, %v, want the key alone", owners, err)
	}
	if alias, ok := name.AliasOf(corpAnn); !ok || alias != "corp" {
		t.Errorf("got the alias %q, %v", alias, ok)
	}
	if alias, ok := name.AliasOf("ann"); ok {
		t.Errorf("a local user has the alias %q", alias)
	}
}

// TestATextLikeAKeyOfAPersonIsRefused: no other spelling and no other form may be
// taken for a person.
func TestATextLikeAKeyOfAPersonIsRefused(t *testing.T) {
	for _, key := range []string{
		"oidc:", "oidc:corp", "oidc:corp:", "oidc::" + strings.Repeat("a", 26), corpAnn + "a", corpAnn[:len(corpAnn)-1], strings.ToUpper(corpAnn),
		"oidc:Corp:" + strings.Repeat("a", 26), "oidc:corp:" + strings.Repeat("1", 26), "oidc:corp:" + strings.Repeat("a", 25) + "A",
		"oidc:" + strings.Repeat("a", 17) + ":" + strings.Repeat("a", 26), "oidc:corp:" + strings.Repeat("a", 26) + ":x", "oidc:co rp:" + strings.Repeat("a", 26),
	} {
		if err := name.ValidOwner(key); err == nil {
			t.Errorf("%q is accepted", key)
		}
		if _, ok := name.AliasOf(key); ok {
			t.Errorf("%q has an alias", key)
		}
	}
	for _, i := range []name.Identity{{Name: corpAnn}, {Domain: "ACTIVE_DIRECTORY", Name: "ann", AuthID: corpAnn}} {
		if key, err := i.Key(); err == nil {
			t.Errorf("%+v is the user %q", i, key)
		}
	}
}
