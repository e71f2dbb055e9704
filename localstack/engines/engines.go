// Package engines connects tests to the engines that engines.sh starts:
// DynamoDB Local, MiniStack, LocalStack and Keycloak. Require finds an engine, and skips
// the test if there is none. Tool does the same for a tool. A Client calls the engine's AWS interfaces.
//
// Only tests use this package.
package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Engine is the name of an engine, as engines.sh takes it.
type Engine string

const (
	DynamoDB   Engine = "dynamodb"   // transactions, conditions, streams and TTL
	MiniStack  Engine = "ministack"  // the whole stack, with authorizers and IAM
	LocalStack Engine = "localstack" // retries of streams, partial batches, dead letters

	// Generators is no server. Its variable has the folder with the generators of
	// clients.
	Generators Engine = "generators"

	// OAuth is no server. Its variable has the folder with the libraries of OAuth.
	OAuth Engine = "oauth"

	Keycloak Engine = "keycloak" // an identity provider: people, groups and programs sign in
)

// Require returns the URL or the folder of an engine, without a slash at the end. It
// is in the variable APITOKEN_ENGINE, for example APITOKEN_DYNAMODB. Without the
// variable Require skips the test. If APITOKEN_ENGINES_REQUIRED is 1, as
// localstack/integration.sh sets it, Require fails the test instead.
func Require(t testing.TB, e Engine) string {
	t.Helper()
	return strings.TrimSuffix(require(t, string(e), "SKIPPED: needs the engine %s, with its URL or folder in %s (`make integration` starts it)"), "/")
}

// The tools that tests use, by the ends of their variables. The first two are Python
// tools.
const (
	QQ      = "qq"     // Qumulo's command line
	Vastpy  = "vastpy" // vastpy-cli, VAST's command line
	Nginx   = "nginx"
	Caddy   = "caddy"
	Traefik = "traefik"

	Chromium = "chromium" // of the engine browser
)

// Tool returns the path of a tool that engines.sh installs. The path is in a
// variable with the tool's name, for example APITOKEN_QQ. Without the variable Tool
// skips or fails the test as Require does.
func Tool(t testing.TB, name string) string {
	t.Helper()
	return require(t, name, "SKIPPED: needs the tool %s, with its path in %s (`make integration` installs it)")
}

// Python returns the path of the Python that runs a Python tool. Programs of this
// Python can import the tool's packages.
func Python(t testing.TB, tool string) string {
	t.Helper()
	return filepath.Join(filepath.Dir(Tool(t, tool)), "python")
}

// require returns the value of a name's variable. The text says what is missing.
func require(t testing.TB, name, missing string) string {
	t.Helper()
	variable := "APITOKEN_" + strings.ToUpper(name)
	value := os.Getenv(variable)
	switch {
	case value != "":
	case os.Getenv("APITOKEN_ENGINES_REQUIRED") == "1":
		t.Fatalf("%s is not set, and APITOKEN_ENGINES_REQUIRED is", variable)
	default:
		t.Skipf(missing, name, variable)
	}
	return value
}

// Eventually calls missing until it returns "". After the limit it fails the
// test with the last result of missing.
func Eventually(t testing.TB, limit time.Duration, goal string, missing func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		state := missing()
		if state == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s: %s", limit, goal, state)
		}
	}
}
