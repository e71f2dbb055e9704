package vast_test

import (
	"net/http"
	"strings"
	"testing"

	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/vast"
)

// TestEveryRouteDoesWhatItsRowSays: the settings and rights of the function are
// computed from the rows, so a wrong row would give it too many rights or too few.
func TestEveryRouteDoesWhatItsRowSays(t *testing.T) {
	for _, route := range vast.Face().Calls {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			w := newScene(t)
			id, _ := w.mint("ann", token.Wish{})
			_, fresh := w.mint("admin", token.Wish{}) // no use of this token is stored yet
			used := &apitest.Usage{Store: w.store}
			w.issuer = issuer.New(issuer.Config{Store: used, Keys: w.keys, Now: w.clock})
			w.serve()
			path := strings.NewReplacer("{id}", id, "{vms}", "1").Replace(route.Path)
			a := w.do(route.Method, path, fresh, sampleBodies[route.Method+" "+route.Path])
			if refuses := a.Status >= http.StatusBadRequest; refuses != route.Refuses {
				t.Fatalf("got %d %s, but Refuses is %t", a.Status, a.Body, route.Refuses)
			}
			if writes := used.Commits > 0; writes != route.Command {
				t.Errorf("it writes the log: %t, but Command is %t", writes, route.Command)
			}
			if checks := used.Touches > 0; checks != route.Checks {
				t.Errorf("it notes the use of a token: %t, but Checks is %t", checks, route.Checks)
			}
			if mints := strings.Contains(string(a.Body), `"token":"`); mints != route.Mints {
				t.Errorf("its answer contains a secret: %t, but Mints is %t", mints, route.Mints)
			}
			if got := w.do(route.Method, path, "", "").Status == http.StatusUnauthorized; got == (route.Open && !route.Refuses) {
				t.Errorf("it refuses a request without a credential: %t, but Open is %t", got, route.Open)
			}
		})
	}
}

// sampleBodies are the bodies with which a route changes something.
var sampleBodies = map[string]string{
	"PATCH /api/apitokens/{id}":                        `{"name":"changed"}`,
	"PATCH /api/vms/{vms}/set_max_api_tokens_per_user": `{"max_api_tokens_per_user":7}`,
	"PATCH /api/vms/{vms}/pwd_settings":                `{"pwd_expiration_timeout":"30D"}`,
}
