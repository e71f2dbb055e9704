package name

import (
	"slices"
	"strings"

	"apitoken/events/secret"
)

// OwnerKey is the owner key of the one user that a text of a query or of the command
// line names, in a form of ParseIdentity. The refusal is invalid_field on user.
func OwnerKey(text string) (string, error) {
	i, err := ParseIdentity(text)
	if err != nil {
		return "", err
	}
	return i.Key()
}

// ValidOwner refuses a text that is not an owner key in its one form: NAME,
// ACTIVE_DIRECTORY:NAME, POSIX_USER:NAME, a SID, uid:N, auth_id:N or oidc:ALIAS:ID,
// with each NAME in its one spelling. The refusal is invalid_field on user and names the
// right form.
func ValidOwner(key string) error {
	spelled, err := OwnerKey(key)
	if err != nil {
		return err
	}
	if spelled != key {
		return invalid(fieldUser, "the user %s is not in canonical form; write %s", secret.Quote(key), secret.QuoteWhole(spelled))
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

// shownAs has the users that Qumulo's clients show, and send as a filter, under a name
// in place of their auth_id.
var shownAs = map[string]string{"Guest": "auth_id:501", "Everyone": "auth_id:8589934592"}

// OwnersNamed returns the owner keys that a filter names. A NAME without a domain
// names that user in every domain that has names, and the user that Qumulo's clients
// show under this name; any other form is one key. The refusal is invalid_field on
// user.
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
	owners := []string{key}
	for _, i.Domain = range []string{domainAD, domainPosixUser} {
		if key, err := i.Key(); err == nil { // otherwise no user of this domain can have the name
			owners = append(owners, key)
		}
	}
	if key := shownAs[text]; key != "" {
		owners = append(owners, key)
	}
	return owners, nil
}

// bareName refuses a name that looks like another form of owner key: who-am-i
// answers owner keys as ids, and each id must lead back to its owner.
func bareName(name string) error {
	if _, isNumber, _ := authNumber(name); isNumber {
		return invalid(fieldUser, "the user's name %s looks like an auth_id, which is not allowed; give it as auth_id, or as auth_id:N where a user is one text", secret.Quote(name))
	}
	if sidLike(name) {
		return invalid(fieldUser, "the user's name %s looks like a SID, which is not allowed; give it as sid", secret.Quote(name))
	}
	if _, _, ok := cutForm(name); ok {
		return invalid(fieldUser, "the user's name %s has a colon, so it looks like another form of user; a colon is allowed only after an equals sign", secret.Quote(name))
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
		return invalid(fieldUser, "the user's SID %s is invalid; allowed: S-1-AUTHORITY and 1 to 15 numbers, like S-1-5-21-1-2-3-1001", secret.Quote(sid))
	}
	// [MS-DTYP] section 2.4.2.4: authority 1 is the world, S-1-5-32 has the
	// built-in groups.
	if parts[2] == "1" || strings.HasPrefix(sid, "S-1-5-32-") {
		return invalid(fieldUser, "the user's SID %s names a group; only users have tokens", secret.Quote(sid))
	}
	return nil
}
