package keycloak

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"apitoken/localstack/engines"
)

// admin calls Keycloak's administration API as its administrator.
func (r Realm) admin(t testing.TB, method, path string, in, out any) {
	t.Helper()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	status, b := send(t, http.MethodPost, r.URL+"/realms/master/protocol/openid-connect/token", "application/x-www-form-urlencoded", "",
		[]byte(url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}}.Encode()))
	if status != http.StatusOK {
		t.Fatalf("the administrator of Keycloak got %d %s", status, b)
	}
	engines.Decode(t, b, &token)
	sendJSON(t, method, r.URL+"/admin/realms/apitoken"+path, token.AccessToken, in, out)
}

// object is a JSON object of the administration API. An update sends all of it back.
type object = map[string]any

// first returns the first object of a search, which has to find one.
func (r Realm) first(t testing.TB, path string) object {
	t.Helper()
	var found []object
	r.admin(t, http.MethodGet, path, nil, &found)
	if len(found) == 0 {
		t.Fatalf("Keycloak has nothing at %s", path)
	}
	return found[0]
}

// change replaces members of an object until the end of the test.
func (r Realm) change(t testing.TB, search, folder string, change func(object)) {
	t.Helper()
	before, now := r.first(t, search), r.first(t, search)
	path := folder + before["id"].(string)
	change(now)
	r.admin(t, http.MethodPut, path, now, nil)
	t.Cleanup(func() { r.admin(t, http.MethodPut, path, before, nil) })
}

// ClientAttribute sets an attribute of a client until the end of the test, where the
// client has none. An update keeps the attributes that it does not name, and removes
// empty ones.
func (r Realm) ClientAttribute(t testing.TB, client, attribute, value string) {
	t.Helper()
	set := func(value string) {
		c := r.first(t, "/clients?clientId="+client)
		c["attributes"].(object)[attribute] = value
		r.admin(t, http.MethodPut, "/clients/"+c["id"].(string), c, nil)
	}
	set(value)
	t.Cleanup(func() { set("") })
}

// AllowRedirect lets the client of the page send people to one more address until the
// end of the test.
func (r Realm) AllowRedirect(t testing.TB, to string) {
	t.Helper()
	r.change(t, "/clients?clientId="+Page, "/clients/", func(c object) { c["redirectUris"] = append(slices.Clone(c["redirectUris"].([]any)), to) })
}

// ChangeUser changes a person until the end of the test.
func (r Realm) ChangeUser(t testing.TB, person string, change func(map[string]any)) {
	t.Helper()
	r.change(t, "/users?exact=true&username="+person, "/users/", change)
}

// LeaveGroup takes a person out of a group until the end of the test.
func (r Realm) LeaveGroup(t testing.TB, person, group string) {
	t.Helper()
	user := r.first(t, "/users?exact=true&username="+person)["id"].(string)
	path := "/users/" + user + "/groups/" + r.first(t, "/groups?exact=true&search="+group)["id"].(string)
	r.admin(t, http.MethodDelete, path, nil, nil)
	t.Cleanup(func() { r.admin(t, http.MethodPut, path, object{}, nil) })
}

// RotateKeys makes a new key for signatures and disables the older ones until the end
// of the test. Sessions at Keycloak end with it, because their cookies have older
// signatures.
func (r Realm) RotateKeys(t testing.TB) {
	t.Helper()
	const search = "/components?type=" + keyProvider
	var older []object
	r.admin(t, http.MethodGet, search, nil, &older)
	r.admin(t, http.MethodPost, "/components", object{
		"name": "new", "providerId": rsaKeys, "providerType": keyProvider,
		"config": map[string][]string{"priority": {"1000"}, "algorithm": {"RS256"}, "keySize": {"2048"}},
	}, nil)
	t.Cleanup(func() {
		r.admin(t, http.MethodDelete, "/components/"+r.first(t, search+"&name=new")["id"].(string), nil, nil)
	})
	for _, key := range older {
		if key["providerId"] == rsaKeys {
			r.enable(t, key, false)
			t.Cleanup(func() { r.enable(t, key, true) })
		}
	}
}

const (
	keyProvider = "org.keycloak.keys.KeyProvider"
	rsaKeys     = "rsa-generated"
)

// enable lets the realm use a key, or forget it. An update keeps the members of the
// configuration that it does not name.
func (r Realm) enable(t testing.TB, key object, enabled bool) {
	t.Helper()
	config := maps.Clone(key["config"].(object))
	config["enabled"], config["active"] = []string{fmt.Sprint(enabled)}, []string{fmt.Sprint(enabled)}
	key = maps.Clone(key)
	key["config"] = config
	r.admin(t, http.MethodPut, "/components/"+key["id"].(string), key, nil)
}
