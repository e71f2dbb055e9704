package htpasswd

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"apitoken/localstack/longtest"
)

func anyUser(string) bool { return true }

func hashOf(t *testing.T, password string, cost int) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// TestThePasswordOfAUserIsAccepted in each version of the hash, with comments and other
// line ends around it.
func TestThePasswordOfAUserIsAccepted(t *testing.T) {
	longtest.SkipSequential(t)
	hash := hashOf(t, "sesame", minCost)[4:]
	text := "# users\r\n\r\n  \nann:$2a$" + hash + ":Ann's laptop\r\nben:$2b$" + hash + "\ncyd:$2y$" + hash + "\nbob:" + hashOf(t, "other", minCost)
	f, err := Parse(text, anyUser)
	if err != nil {
		t.Fatal(err)
	}
	if f.Len() != 4 {
		t.Errorf("got %d users, want 4", f.Len())
	}
	for _, user := range []string{"ann", "ben", "cyd"} {
		if !f.Check(user, "sesame") {
			t.Errorf("the password of %s is refused", user)
		}
	}
	for user, password := range map[string]string{"ann": "Sesame", "ben": "Sesame", "cyd": "Sesame", "bob": "sesame", "Ann": "sesame", "": "sesame", "eve": "sesame"} {
		if f.Check(user, password) {
			t.Errorf("%q with %q is accepted", user, password)
		}
	}
}

// TestAPasswordIsReadToItsEnd: bcrypt alone ignores what is after 72 bytes, and some
// programs make a hash of an empty password.
func TestAPasswordIsReadToItsEnd(t *testing.T) {
	longtest.SkipSequential(t)
	longest := strings.Repeat("x", MaxPassword)
	f, err := Parse("ann:"+hashOf(t, longest, minCost)+"\nbob:"+hashOf(t, "", minCost), anyUser)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Check("ann", longest) {
		t.Error("a password of 72 bytes is refused")
	}
	if f.Check("ann", longest+"y") {
		t.Error("a password is accepted with one more byte than it has")
	}
	if f.Check("bob", "") {
		t.Error("an empty password is accepted")
	}
}

// TestAWrongPasswordTakesTheSameRoundsForEveryName counts the rounds and not the time.
func TestAWrongPasswordTakesTheSameRoundsForEveryName(t *testing.T) {
	var text strings.Builder
	for cost := minCost; cost <= minCost+2; cost++ {
		fmt.Fprintf(&text, "user%d:%s\n", cost, unusable(cost))
	}
	f, err := Parse(text.String(), anyUser)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 0
	f.compare = func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Fatal(err)
		}
		rounds += 1 << cost
		return bcrypt.ErrMismatchedHashAndPassword
	}
	for _, user := range []string{"user10", "user11", "user12", "nobody", ""} {
		rounds = 0
		if f.Check(user, "sesame") {
			t.Errorf("%q: accepted", user)
		}
		if want := 1 << (minCost + 2); rounds != want {
			t.Errorf("%q: got %d rounds, want %d", user, rounds, want)
		}
	}
}

// TestNoPasswordHasTheHashOfAnUnknownUser, and bcrypt computes all its rounds.
func TestNoPasswordHasTheHashOfAnUnknownUser(t *testing.T) {
	if err := compare(unusable(minCost), []byte("sesame")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("got %v, want a mismatch", err)
	}
	f := &File{users: map[string]entry{}, most: minCost, compare: func([]byte, []byte) error { return nil }}
	if f.Check("nobody", "sesame") {
		t.Error("an unknown user is accepted if bcrypt says so")
	}
}

// TestAWrongLineIsRefusedByItsNumber, and no error has a part of the file: people paste
// passwords into the wrong place.
func TestAWrongLineIsRefusedByItsNumber(t *testing.T) {
	good := "ann:" + string(unusable(12)) + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"no text":           {"", "has no user"},
		"comments":          {"# ann:x\n\n", "has no user"},
		"no colon":          {good + "hunter2\n", "line 2: the line has no colon"},
		"no name":           {good + ":" + string(unusable(12)), "line 2: the user name is empty"},
		"a bad name":        {good + "hunter2:" + string(unusable(12)), "line 2: the user name is not"},
		"twice":             {good + "# x\n" + good, "line 3: the user is already in line 1"},
		"a plain password":  {"bob:hunter2", "line 1: the text after the user name is not a hash of bcrypt"},
		"MD5":               {"bob:$apr1$hunter2$zzzzzzzzzzzzzzzzzzzzzz", "not a hash of bcrypt"},
		"SHA":               {"bob:{SHA}hunter2", "not a hash of bcrypt"},
		"SHA-512":           {"bob:$6$hunter2$x", "not a hash of bcrypt"},
		"version 2x":        {"bob:$2x$12$" + string(unusable(12))[7:], "not a hash of bcrypt"},
		"version 2":         {"bob:$2$12$" + string(unusable(12))[7:], "not a hash of bcrypt"},
		"a cut hash":        {"bob:" + string(unusable(12))[:59], "not a hash of bcrypt"},
		"a long hash":       {"bob:" + string(unusable(12)) + "x", "not a hash of bcrypt"},
		"a blank after it":  {"bob:" + string(unusable(12)) + " ", "not a hash of bcrypt"},
		"a weak cost":       {"bob:" + string(unusable(9)), "line 1: the cost of the hash is 09; allowed: 10 to 14"},
		"htpasswd -B alone": {"bob:" + string(unusable(5)), "the cost of the hash is 05; allowed: 10 to 14; set the password again with `htpasswd -B -C 12`"},
		"a slow cost":       {"bob:" + string(unusable(15)), "the cost of the hash is 15"},
		"too many users":    {manyUsers(maxUsers + 1), fmt.Sprintf("line %d: the file has too many users", maxUsers+1)},
	} {
		_, err := Parse(c.text, func(name string) bool { return name != "hunter2" })
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := Parse(manyUsers(maxUsers), anyUser); err != nil {
		t.Errorf("%d users: %v", maxUsers, err)
	}
}

func manyUsers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "user%d:%s\n", i, unusable(12))
	}
	return text.String()
}
