package htpasswd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The costs of bcrypt that are accepted. htpasswd -B alone takes 5, which a thief of the
// file tries about 32 times faster than 10 (OWASP's minimum). Each step doubles the
// time: at 14 one comparison takes about a second.
const (
	minCost = 10
	maxCost = 14
)

// maxUsers is the largest number of users of a file.
const maxUsers = 10_000

// bcryptHash is a hash of bcrypt: version, cost, and 53 characters of salt and digest.
// $2x$ is a hash of a faulty implementation, and $2$ of an early one.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// Parse reads the text of a password file: lines USER:HASH. More text after a second
// colon is a comment, and so is a line that begins with #. isUser says whether a text is
// the name of a user. An error names the line, and has no part of it.
func Parse(text string, isUser func(name string) bool) (*File, error) {
	f := &File{users: map[string]entry{}, compare: compare}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := f.add(number, line, isUser); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if len(f.users) == 0 {
		return nil, fmt.Errorf("the file has no user; each line must be USER:HASH, as `htpasswd -B -C 12` writes it")
	}
	return f, nil
}

func (f *File) add(number int, line string, isUser func(name string) bool) error {
	user, rest, found := strings.Cut(line, ":")
	hash, _, _ := strings.Cut(rest, ":")
	earlier, twice := f.users[user]
	switch {
	case !found:
		return fmt.Errorf("the line has no colon; allowed: USER:HASH, as `htpasswd -B -C 12` writes it")
	case user == "":
		return fmt.Errorf("the user name is empty; allowed: USER:HASH")
	case !isUser(user):
		return fmt.Errorf("the user name is not the name of a local user in its one spelling: lower or upper case as it is used, without a domain, spaces at its ends or invisible characters")
	case twice:
		return fmt.Errorf("the user is already in line %d; each user is allowed once", earlier.line)
	case len(f.users) == maxUsers:
		return fmt.Errorf("the file has too many users; allowed: at most %d", maxUsers)
	}
	cost, err := costOf(hash)
	if err != nil {
		return err
	}
	f.users[user] = entry{line: number, cost: cost, hash: []byte(hash)}
	f.most = max(f.most, cost)
	return nil
}

// costOf returns the cost of an accepted hash.
func costOf(hash string) (int, error) {
	m := bcryptHash.FindStringSubmatch(hash)
	if m == nil {
		return 0, fmt.Errorf("the text after the user name is not a hash of bcrypt; allowed: $2y$, $2b$ and $2a$ with 60 characters, as `htpasswd -B -C 12` writes it")
	}
	cost, err := strconv.Atoi(m[1])
	if err != nil || cost < minCost || cost > maxCost {
		return 0, fmt.Errorf("the cost of the hash is %s; allowed: %d to %d; set the password again with `htpasswd -B -C 12`", m[1], minCost, maxCost)
	}
	return cost, nil
}
