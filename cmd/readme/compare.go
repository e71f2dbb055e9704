package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// examples are the README's ids and tokens with those of this run, the longest
// first: a token contains its id, so it must be replaced before the id.
type examples []example

type example struct{ readme, run string }

// exampleForms find a token and an id.
var exampleForms = []*regexp.Regexp{
	regexp.MustCompile(`\b([0-9A-Za-z]{8}\.[0-9A-Za-z]{32})\b`),
	regexp.MustCompile(`with id: ([0-9A-Za-z]{8})\b`),
}

// compare returns an error for the first line of the README that the output
// does not contain. Empty lines and "..." match everything.
func (e *examples) compare(readme []string, output string) error {
	e.learn(strings.Join(readme, "\n"), output)
	got := normalize(output)
	for _, line := range readme {
		want := normalize(e.replace(line))
		if want != "" && want != "..." && !strings.Contains(got, want) {
			return fmt.Errorf("the README shows: %s\ngot:\n%s", want, output)
		}
	}
	return nil
}

// learn pairs the first token and the first id of the README's text with those
// of the output.
func (e *examples) learn(readme, output string) {
	for _, form := range exampleForms {
		shown, got := form.FindStringSubmatch(readme), form.FindStringSubmatch(output)
		if shown != nil && got != nil && !e.has(shown[1]) {
			*e = append(*e, example{readme: shown[1], run: got[1]})
		}
	}
	slices.SortStableFunc(*e, func(a, b example) int { return len(b.readme) - len(a.readme) })
}

func (e *examples) has(readme string) bool {
	return slices.ContainsFunc(*e, func(x example) bool { return x.readme == readme })
}

// replace puts the ids and tokens of this run in place of the README's.
func (e *examples) replace(text string) string {
	for _, x := range *e {
		text = strings.ReplaceAll(text, x.readme, x.run)
	}
	return text
}

var (
	timeForm     = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	hashForm     = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	durationForm = regexp.MustCompile(`\d+(\.\d+)?m?s\b`)
	spaces       = regexp.MustCompile(`\s+`)
)

// normalize replaces times, hashes and durations by words, and any white space
// by one space.
func normalize(text string) string {
	text = timeForm.ReplaceAllString(text, "TIME")
	text = hashForm.ReplaceAllString(text, "HASH")
	text = durationForm.ReplaceAllString(text, "DURATION")
	return strings.TrimSpace(spaces.ReplaceAllString(text, " "))
}
