package token

import (
	"slices"
	"strings"
	"unicode"
)

// ValidOwner refuses a text that is not an owner key in canonical form: NAME,
// ACTIVE_DIRECTORY:NAME, POSIX_USER:NAME, a SID, uid:N or auth_id:N. The
// refusal is invalid_field on user.
func ValidOwner(key string) error {
	i, err := ParseIdentity(key)
	if err != nil {
		return err
	}
	spelled, err := i.Key()
	if err != nil {
		return err
	}
	if spelled != key {
		return invalid(fieldUser, "the user %s is not in canonical form; write %s", shown(key), shown(spelled))
	}
	return nil
}

// IdentityOf is the identity of an owner key, as answers show it. The key must be
// valid; IdentityOf(key).Key() returns the same key.
func IdentityOf(key string) Identity {
	i, err := ParseIdentity(key)
	if err != nil {
		return Identity{AuthID: key}
	}
	if i.Name != "" && i.Domain == "" {
		i.Domain = domainLocal
	}
	return i
}

// OwnersNamed returns the owner keys that a filter names. A NAME without a domain
// names that user in every domain that has names; any other form is one key. The
// refusal is invalid_field on user.
func OwnersNamed(text string) ([]string, error) {
	i, err := ParseIdentity(text)
	if err != nil {
		return nil, err
	}
	key, err := i.Key()
	if err != nil {
		return nil, err
	}
	if i.Name == "" || i.Domain != "" {
		return []string{key}, nil
	}
	return []string{key, domainAD + ":" + i.Name, domainPosixUser + ":" + i.Name}, nil
}

// bareName refuses a name that looks like another form of owner key: who-am-i
// answers owner keys as ids, and each id must lead back to its owner.
func bareName(name string) error {
	if _, isNumber, _ := authNumber(name); isNumber {
		return invalid(fieldUser, "the user's name %s looks like an auth_id, which is not allowed; give it as auth_id, or as auth_id:N in a query", shown(name))
	}
	if sidLike(name) {
		return invalid(fieldUser, "the user's name %s looks like a SID, which is not allowed; give it as sid", shown(name))
	}
	if _, _, ok := cutForm(name); ok {
		return invalid(fieldUser, "the user's name %s has a colon, so it looks like another form of user; a colon is allowed only after an equals sign", shown(name))
	}
	return nil
}

// checkLooks refuses a name that looks like another name: with white space at its
// ends, or with invisible characters, such as marks of direction or joiners (Unicode's Cf).
func checkLooks(name string) error {
	switch {
	case strings.TrimSpace(name) != name:
		return invalid(fieldUser, "the user's name %s begins or ends with white space, which is not allowed", shown(name))
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Cf, r) }):
		return invalid(fieldUser, "the user's name %s has an invisible character (Unicode category Cf), which is not allowed", shown(name))
	}
	return nil
}

// cutForm splits FORM:REST. A colon after an equals sign belongs to a name, as
// in the distinguished name cn=a:b,dc=x.
func cutForm(text string) (form, rest string, ok bool) {
	form, rest, ok = strings.Cut(text, ":")
	return form, rest, ok && !strings.Contains(form, "=")
}

func sidLike(text string) bool {
	return len(text) >= len("S-1-") && strings.EqualFold(text[:len("S-1-")], "S-1-")
}

// checkSID refuses a text that is not a user's SID in decimal form ([MS-DTYP]
// section 2.4.2.1): S-1-AUTHORITY and 1 to 15 numbers of 32 bits.
func checkSID(sid string) error {
	parts := strings.Split(sid, "-")
	if len(parts) < 4 || len(parts) > 18 || parts[0] != "S" || parts[1] != "1" || !canonical(parts[2], 1<<48-1) ||
		slices.ContainsFunc(parts[3:], func(p string) bool { return !canonical(p, 1<<32-1) }) {
		return invalid(fieldUser, "the user's SID %s is invalid; allowed: S-1-AUTHORITY and 1 to 15 numbers, like S-1-5-21-1-2-3-1001", shown(sid))
	}
	// [MS-DTYP] section 2.4.2.4: authority 1 is the world, S-1-5-32 has the
	// built-in groups.
	if parts[2] == "1" || strings.HasPrefix(sid, "S-1-5-32-") {
		return invalid(fieldUser, "the user's SID %s names a group; only users have tokens", shown(sid))
	}
	return nil
}
