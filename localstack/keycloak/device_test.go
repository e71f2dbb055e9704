package keycloak_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

var update = flag.Bool("update", false, "write the answers of Keycloak again")

// answers are what Keycloak says to a device, by what has happened before.
type answers map[string]answer

type answer struct {
	Status int            `json:"status"`
	Body   map[string]any `json:"body"`
}

// TestKeycloakAnswersDevicesAsRecorded: the unit tests of `apitoken login --device` use
// the recorded answers. Some 15 seconds after the end of a code Keycloak has forgotten
// it, and answers as to a used one: a client that polls rarely never sees expired_token.
func TestKeycloakAnswersDevicesAsRecorded(t *testing.T) {
	r := keycloak.Connect(t)
	got := answers{}
	waiting := r.NewDevice(t, keycloak.CLI)
	got.note("began", waiting.Answer)
	got.note("pending", waiting.Poll(t))
	for range 5 { // within the interval of 5 seconds, if the machine is not too slow
		again := waiting.Poll(t)
		got.note("slow_down", again)
		if again.Text("error") == "slow_down" {
			break
		}
	}

	allowed := r.NewDevice(t, keycloak.CLI)
	allowed.Decide(t, keycloak.Ann, "accept")
	accepted := allowed.Poll(t)
	if name := keycloak.Claims(t, accepted.Text("id_token"))["preferred_username"]; name != keycloak.Ann {
		t.Errorf("the device signed %v in", name)
	}
	got.note("accepted", accepted)
	got.note("used", allowed.Poll(t))

	refused := r.NewDevice(t, keycloak.CLI)
	refused.Decide(t, keycloak.Ann, "cancel")
	got.note("denied", refused.Poll(t))

	r.ClientAttribute(t, keycloak.CLI, "oauth2.device.code.lifespan", "1")
	late := r.NewDevice(t, keycloak.CLI)
	time.Sleep(2500 * time.Millisecond) // Keycloak counts whole seconds
	got.note("expired", late.Poll(t))

	file := filepath.Join("testdata", "device.json")
	if *update {
		b, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(file, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := answers{}
	engines.Decode(t, b, &want)
	if g, w := string(engines.Encode(t, got)), string(engines.Encode(t, want)); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// varying members differ from run to run.
var varying = map[string]any{
	"refresh_expires_in": 1800,
	"device_code":        "DEVICE-CODE", "user_code": "ABCD-EFGH", "access_token": "ACCESS-TOKEN", "refresh_token": "REFRESH-TOKEN", "id_token": "ID-TOKEN",
	"session_state": "SESSION", "scope": "openid email profile", // their order differs
	"verification_uri":          "https://id.example.org/realms/apitoken/device",
	"verification_uri_complete": "https://id.example.org/realms/apitoken/device?user_code=ABCD-EFGH",
}

func (a answers) note(name string, got keycloak.Answer) {
	body := map[string]any{}
	for member, value := range got.Body {
		if masked, ok := varying[member]; ok {
			value = masked
		}
		if member == "expires_in" && got.Text("access_token") != "" {
			value = 300 // or a second less
		}
		body[member] = value
	}
	a[name] = answer{got.Status, body}
}
