package htpasswd

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// MaxPassword is the largest number of bytes of a password. bcrypt reads no more: all
// longer passwords with the same beginning would be one password.
const MaxPassword = 72

// File is the content of a password file. Its methods may be called at the same time.
type File struct {
	users   map[string]entry
	most    int                               // the highest cost
	compare func(hash, password []byte) error // nil if the password has the hash
}

type entry struct {
	line, cost int
	hash       []byte
}

// Len is the number of users.
func (f *File) Len() int { return len(f.users) }

// Check reports whether the password is that of the user. A password that is empty or
// longer than MaxPassword is never right. Check takes up to a second of one core.
//
// A wrong password takes the rounds of the highest cost of the file, also if the user has
// a lower one or does not exist: the time of an answer must not say which users exist. A
// cost has twice the rounds of the one below, so the costs from the user's own up to the
// one below the highest add to the user's own and give the highest.
func (f *File) Check(user, password string) bool {
	known, isUser := f.users[user]
	if !isUser {
		known = entry{cost: f.most, hash: unusable(f.most)}
	}
	if same := f.compare(known.hash, []byte(password)) == nil; same && isUser {
		return password != "" && len(password) <= MaxPassword
	}
	for cost := known.cost; cost < f.most; cost++ {
		_ = f.compare(unusable(cost), []byte(password)) // for its time
	}
	return false
}

func compare(hash, password []byte) error { return bcrypt.CompareHashAndPassword(hash, password) }

// unusable is a hash of this cost that no known password has.
func unusable(cost int) []byte { return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53)) }
