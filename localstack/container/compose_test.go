package container

import (
	"os"
	"regexp"
	"testing"
	"time"

	"apitoken/cmd/apitoken/proxyconfig"
	"apitoken/infra/sam/template"
)

func readCompose(t *testing.T) template.Object {
	t.Helper()
	compose, err := template.Read("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return compose
}

// TestTheExampleHasTheFileOfTheCommand: nginx.conf is the file that the real nginx runs
// in the tests, with the addresses of the example, and only nginx may ask for verdicts.
func TestTheExampleHasTheFileOfTheCommand(t *testing.T) {
	compose := readCompose(t)
	address := func(service string) string {
		a, _ := template.At(compose, "services", service, "networks", "inside", "ipv4_address").(string)
		return a
	}
	forward, _ := template.At(compose, "services", "apitoken", "environment", "APITOKEN_FORWARD_LISTEN").(string)
	want, err := proxyconfig.Config("nginx", proxyconfig.Addresses{Listen: "0.0.0.0:8000", Forward: forward, Backend: address("service") + ":80"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("nginx.conf is not what apitoken config nginx prints; the command is in compose.yaml")
	}
	if forward != address("apitoken")+":8081" {
		t.Errorf("nginx asks at %s, and apitoken has the address %s", forward, address("apitoken"))
	}
	if peers := template.At(compose, "services", "apitoken", "environment", "APITOKEN_FORWARD_PEERS"); peers != address("nginx") || peers == "" {
		t.Errorf("%v may ask for verdicts, want only nginx, which has the address %s", peers, address("nginx"))
	}
	if internal := template.At(compose, "networks", "inside", "internal"); internal != true {
		t.Error("the network that tokens cross unencrypted is not internal")
	}
}

// TestTheExampleIsClosed: the container has no rights that it does not need, and Compose
// waits long enough for its end. The other image is a fixed one.
func TestTheExampleIsClosed(t *testing.T) {
	compose := readCompose(t)
	service := func(path ...string) any {
		return template.At(template.At(compose, "services", "apitoken"), path...)
	}
	drop, _ := service("cap_drop").([]any)
	if service("read_only") != true || len(drop) != 1 || drop[0] != "ALL" {
		t.Errorf("read_only is %v and cap_drop %v, want true and ALL", service("read_only"), drop)
	}
	grace, _ := service("stop_grace_period").(string)
	if d, err := time.ParseDuration(grace); err != nil || d < 33*time.Second {
		t.Errorf("stop_grace_period is %q, want more than the 33 seconds of serve", grace)
	}
	fixed := regexp.MustCompile(`^\$\{APITOKEN_NGINX_IMAGE:-nginx:\d+\.\d+\.\d+-alpine@sha256:[0-9a-f]{64}\}$`)
	for _, name := range []string{"nginx", "service"} {
		if image, _ := template.At(compose, "services", name, "image").(string); !fixed.MatchString(image) {
			t.Errorf("%s has the image %q, want a tag and a digest", name, image)
		}
	}
	if template.At(compose, "services", "service", "ports") != nil {
		t.Error("clients can reach the service without nginx")
	}
}
