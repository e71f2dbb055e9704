package name

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"apitoken/events/jsontext"
	"apitoken/events/secret"
)

// The domains that Qumulo documents for an identity.
const (
	domainLocal      = "LOCAL"
	domainNull       = "API_NULL_DOMAIN"
	domainWorld      = "WORLD"
	domainPosixUser  = "POSIX_USER"
	domainPosixGroup = "POSIX_GROUP"
	domainAD         = "ACTIVE_DIRECTORY"
	domainInvalid    = "API_INVALID_DOMAIN"
	domainReserved   = "API_RESERVED_DOMAIN"
	domainInternal   = "API_INTERNAL_DOMAIN"
	domainOperator   = "API_OPERATOR_DOMAIN"
	domainCreator    = "API_CREATOR_DOMAIN"
)

// MaxOwner is the largest number of bytes of an owner key.
const MaxOwner = 256

// maxGiven is the largest number of bytes of a name as a caller gives it. NFD needs
// up to three times as many bytes as NFC, and only the key has a limit.
const maxGiven = 4 * MaxOwner

// maxUID is the last POSIX user id; the next number means "no user".
const maxUID = 1<<32 - 2

// The allowed values, for refusals.
const (
	userForms   = "NAME, local:NAME, ad:NAME, DOMAIN:NAME, auth_id:N, uid:N, oidc:ALIAS:ID or a SID"
	userDomains = domainLocal + ", " + domainNull + ", " + domainAD + ", " + domainPosixUser
)

// Identity is a user in the form of Qumulo's API. Its JSON has all six members,
// and unused ones are null. null and "" are read as unused.
type Identity struct {
	Domain string  `json:"domain"`
	AuthID string  `json:"auth_id"`
	UID    *uint64 `json:"uid"`
	GID    *uint64 `json:"gid"`
	SID    string  `json:"sid"`
	Name   string  `json:"name"`
}

// MarshalJSON writes all six members, the unused ones null.
func (i Identity) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Domain *string `json:"domain"`
		AuthID *string `json:"auth_id"`
		UID    *uint64 `json:"uid"`
		GID    *uint64 `json:"gid"`
		SID    *string `json:"sid"`
		Name   *string `json:"name"`
	}{orNull(i.Domain), orNull(i.AuthID), i.UID, i.GID, orNull(i.SID), orNull(i.Name)})
}

// AppendJSON appends what MarshalJSON returns.
func (i Identity) AppendJSON(p *jsontext.Plain) {
	p.Raw(`{"domain":`)
	p.TextOrNull(i.Domain)
	p.Raw(`,"auth_id":`)
	p.TextOrNull(i.AuthID)
	p.Raw(`,"uid":`)
	p.NumberOrNull(i.UID)
	p.Raw(`,"gid":`)
	p.NumberOrNull(i.GID)
	p.Raw(`,"sid":`)
	p.TextOrNull(i.SID)
	p.Raw(`,"name":`)
	p.TextOrNull(i.Name)
	p.Raw("}")
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// ParseIdentity reads a user in the form of queries and the command line: NAME,
// local:NAME, ad:NAME, ldap_user:NAME, DOMAIN:NAME, auth_id:N, uid:N, sid:SID
// or only the SID. It reads groups too; Key refuses them. The refusal is
// invalid_field on user.
func ParseIdentity(text string) (Identity, error) {
	form, rest, ok := cutForm(text)
	switch {
	case text == "":
		return Identity{}, invalid(fieldUser, "the user is empty; allowed: "+userForms)
	case !ok && sidLike(text):
		return Identity{SID: text}, nil
	case !ok:
		return Identity{Name: text}, nil
	case rest == "":
		return Identity{}, invalid(fieldUser, "the user %s has no text after its colon; give a name or a number there", secret.Quote(text))
	}
	return parseForm(form, rest)
}

func parseForm(form, rest string) (Identity, error) {
	switch form {
	case "auth_id":
		return Identity{AuthID: rest}, nil
	case oidcForm:
		return Identity{AuthID: oidcForm + ":" + rest}, nil
	case "uid":
		n, err := parseID(form, rest)
		return Identity{UID: n}, err
	case "gid":
		n, err := parseID(form, rest)
		return Identity{GID: n}, err
	case "sid":
		return Identity{SID: rest}, nil
	}
	domain, err := domainOf(form)
	return Identity{Domain: domain, Name: rest}, err
}

// domainOf is the domain of a prefix. The short prefixes are those of Qumulo's
// command line.
func domainOf(form string) (string, error) {
	switch form {
	case "local":
		return domainLocal, nil
	case "ad":
		return domainAD, nil
	case "ldap_user":
		return domainPosixUser, nil
	case "ldap_group":
		return domainPosixGroup, nil
	case "world":
		return domainWorld, nil
	case domainLocal, domainNull, domainWorld, domainPosixUser, domainPosixGroup, domainAD,
		domainInvalid, domainReserved, domainInternal, domainOperator, domainCreator:
		return form, nil
	}
	return "", invalid(fieldUser, "the user has the unknown prefix %s; allowed: "+userForms, secret.Quote(form+":"))
}

func parseID(form, text string) (*uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !canonical(text, maxUID) {
		return nil, invalid(fieldUser, "the user's %s %s is invalid; allowed: a whole number from 0 to %d, without leading zeros", form, secret.Quote(text), uint64(maxUID))
	}
	return &n, nil
}

// canonical reports whether the text is a whole number up to most, without sign
// and leading zeros.
func canonical(text string, most uint64) bool {
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && n <= most && text == strconv.FormatUint(n, 10)
}

// Key is the owner key of the user that the identity names. It refuses members
// that name different users, because there is no directory that could say that
// they are one user. It also refuses groups, the world and the API's own
// domains. The refusal is invalid_field on user.
func (i Identity) Key() (string, error) {
	if err := i.checkMembers(); err != nil {
		return "", err
	}
	var key string
	for _, member := range []func() (string, error){i.nameKey, i.authKey, i.uidKey, i.sidKey} {
		k, err := member()
		switch {
		case err != nil:
			return "", err
		case key != "" && k != "" && k != key:
			return "", invalid(fieldUser, "the user's members name different users, %s and %s; they must all name the same user", secret.Quote(key), secret.Quote(k))
		case k != "":
			key = k
		}
	}
	if key == "" {
		return "", invalid(fieldUser, "the user has no name, auth_id, uid or sid; give one of them")
	}
	return key, checkLength(key, MaxOwner)
}

func (i Identity) checkMembers() error {
	if err := cmp.Or(checkLength(i.Name, maxGiven), checkLength(i.SID, MaxOwner)); err != nil {
		return err
	}
	if keyOfNumber(i.AuthID) == "" {
		if err := checkLength(i.AuthID, MaxOwner); err != nil {
			return err
		}
	}
	if i.GID != nil {
		return invalid(fieldUser, "the user has a gid, which names a group; only users have tokens, so leave the gid out")
	}
	return i.checkDomain()
}

func checkLength(text string, most int) error {
	if len(text) > most {
		return invalid(fieldUser, "the user has %d bytes; at most %d are allowed", len(text), MaxOwner)
	}
	return nil
}

func (i Identity) checkDomain() error {
	switch i.Domain {
	case "", domainNull, domainLocal, domainAD, domainPosixUser:
	case domainPosixGroup, domainWorld:
		return invalid(fieldUser, "the user's domain %s has groups, and only users have tokens; allowed: "+userDomains, i.Domain)
	case domainInvalid, domainReserved, domainInternal, domainOperator, domainCreator:
		return invalid(fieldUser, "the user's domain %s has no users with tokens; allowed: "+userDomains, i.Domain)
	default:
		return invalid(fieldUser, "the user's domain %s is unknown; allowed: "+userDomains, secret.Quote(i.Domain))
	}
	return nil
}

// nameKey is "" for the name beside a person at an identity provider: the name is only
// displayed there, and another person may have it.
func (i Identity) nameKey() (string, error) {
	if i.Name == "" || i.Domain == "" && isOIDC(i.AuthID) {
		return "", nil
	}
	name, err := spelling(i.Name, i.Domain == domainAD)
	switch {
	case err != nil:
		return "", err
	case i.Domain == domainAD || i.Domain == domainPosixUser:
		return i.Domain + ":" + name, nil
	}
	return name, bareName(name)
}

// authForm begins the owner key of a user with an auth_id of Qumulo.
const authForm = "auth_id:"

// authKey reads a number of at most 64 bits as Qumulo's auth_id, a larger one as the
// number of an owner key, and other texts as an owner key. who-am-i answers the number
// as "id", and its clients send it back as auth_id.
func (i Identity) authKey() (string, error) {
	if i.AuthID == "" {
		return "", nil
	}
	n, isNumber, err := authNumber(i.AuthID)
	switch {
	case err != nil:
		if key := keyOfNumber(i.AuthID); key != "" {
			return key, nil
		}
		return "", invalid(fieldUser, "the user's auth_id %s is too large; allowed: a number of at most 64 bits, or the id that who-am-i answers", secret.Quote(i.AuthID))
	case isNumber:
		return authForm + strconv.FormatUint(n, 10), nil
	case isOIDC(i.AuthID):
		return i.AuthID, checkOIDC(i.AuthID)
	}
	return i.AuthID, ValidOwner(i.AuthID)
}

func (i Identity) uidKey() (string, error) {
	switch {
	case i.UID == nil:
		return "", nil
	case *i.UID > maxUID:
		return "", invalid(fieldUser, "the user's uid %d is too large; at most %d is allowed", *i.UID, uint64(maxUID))
	case i.Domain == domainLocal || i.Domain == domainAD:
		return "", invalid(fieldUser, "the user has a uid and the domain %s; with a uid only the domains %s and %s are allowed, or none", i.Domain, domainPosixUser, domainNull)
	}
	return "uid:" + strconv.FormatUint(*i.UID, 10), nil
}

func (i Identity) sidKey() (string, error) {
	if i.SID == "" {
		return "", nil
	}
	return i.SID, checkSID(i.SID)
}

// authNumber reads a number in decimal or, as Qumulo's command line allows, in
// hexadecimal after 0x. It returns an error for a number above 64 bits.
func authNumber(text string) (n uint64, isNumber bool, err error) {
	hex, isHex := strings.CutPrefix(strings.ToLower(text), "0x")
	switch {
	case isHex && hex != "" && strings.Trim(hex, "0123456789abcdef") == "":
		n, err = strconv.ParseUint(hex, 16, 64)
	case digits(text):
		n, err = strconv.ParseUint(text, 10, 64)
	default:
		return 0, false, nil
	}
	return n, true, err
}

// digits reports whether the text has only ASCII digits, one or more. strconv
// alone would accept a sign.
func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
