package qumulo_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// startTime is the maximum time of a start and of one command.
const startTime = 30 * time.Second

var (
	tokens  = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)
	newIDs  = regexp.MustCompile(`"id": "([0-9A-Za-z]{8})"|(?m)^([0-9A-Za-z]{8})  `)
	times   = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z`)
	given   = regexp.MustCompile(`^20(30|31|21)-`) // a time of the session, not of the clock
	numbers = regexp.MustCompile(`^ID[0-9]{6}$`)
)

// masked replaces tokens, ids and the times of the clock by texts of the same length.
func (s *service) masked(text string) string {
	text = tokens.ReplaceAllStringFunc(text, func(token string) string {
		secretsOfTheSession = append(secretsOfTheSession, token)
		return token[:8] + "." + strings.Repeat("x", 32)
	})
	for _, m := range newIDs.FindAllStringSubmatch(text, -1) {
		if id := m[1] + m[2]; !slices.Contains(s.ids, id) && strings.Trim(id, "=") != "" {
			s.ids = append(s.ids, id)
		}
	}
	for i, id := range s.ids {
		text = strings.ReplaceAll(text, id, number(i))
	}
	return times.ReplaceAllStringFunc(text, func(at string) string {
		if given.MatchString(at) {
			return at
		}
		return "2026-01-01T00:00:00.000000Z"
	})
}

func number(i int) string { return fmt.Sprintf("ID%06d", i+1) }

// realID returns the id for its number in the session. Other arguments stay.
func (s *service) realID(arg string) string {
	if !numbers.MatchString(arg) {
		return arg
	}
	for i, id := range s.ids {
		if number(i) == arg {
			return id
		}
	}
	s.t.Errorf("the session has no token %s yet", arg)
	return arg
}

// logIsClean checks that the log has no token and no password.
func (s *service) logIsClean() {
	s.t.Helper()
	text := s.logText()
	if !strings.Contains(text, `"user_agent":"`) {
		s.t.Errorf("the log has no request: %s", text)
	}
	if token := tokens.FindString(text); token != "" {
		s.t.Error("the log has a token")
	}
	for _, secret := range secretsOfTheSession {
		if strings.Contains(text, secret) {
			s.t.Errorf("the log has a secret of %d characters", len(secret))
		}
	}
}
