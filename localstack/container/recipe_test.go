package container

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const dockerfile = "../Dockerfile"

// recipe is the part of the Dockerfile that says how a container runs.
type recipe struct {
	from, user string
	env        []string
	serve      []string // ENTRYPOINT and CMD
	health     []string
	volume     string
}

// readRecipe reads the Dockerfile.
func readRecipe(t *testing.T) (r recipe) {
	t.Helper()
	b, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\\\n", "")
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "FROM":
			r.from += rest
		case "USER":
			r.user = rest
		case "ENV":
			r.env = append(r.env, strings.Fields(rest)...)
		case "ENTRYPOINT", "CMD":
			r.serve = append(r.serve, words(t, rest)...)
		case "VOLUME":
			r.volume = rest
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, " CMD ")
			r.health = words(t, command)
		}
	}
	return r
}

// words are the arguments of an instruction in its form without a shell.
func words(t *testing.T, list string) (words []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(list), &words); err != nil {
		t.Fatalf("the Dockerfile has %s, want a list of words, because the image has no shell: %v", list, err)
	}
	return words
}
