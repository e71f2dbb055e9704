package token

import (
	"slices"
	"time"

	"apitoken/events"
)

func (c Revoke) check() error {
	if err := c.By.checkCredential(); err != nil {
		return err
	}
	if !c.By.allowed(c.Owner, c.By.MayDelete) {
		return refuse(CodePermissionDenied, "", `revoking another user's token needs the permission delete on the realm "security"`)
	}
	return nil
}

// revoke ends live tokens only, because an expired token has already ended. No
// change rate applies, and the revocation is not counted. A suspension does not
// matter.
func revoke(s State, c Revoke) ([]events.Fact, error) {
	v, found := s.Find(c.ID)
	live := found && v.LiveAt(c.At)
	var ids []string
	if live {
		if err := checkMatch(v, c.IfMatch); err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	if c.WithChildren {
		ids = append(ids, youngestFirst(s, c.ID, c.At)...)
	}
	if !live && len(ids) > 0 && c.IfMatch != nil { // the token ended after the caller read it
		return nil, VersionConflict()
	}
	if len(ids) == 0 {
		return nil, NotFound()
	}
	return revocations(ids, c.Owner, c.By.Cause(c.Owner)), nil
}

// revocations returns the ends of these tokens, at most maxFacts of them.
func revocations(ids []string, owner string, cause events.Cause) (facts []events.Fact) {
	for _, id := range ids[:min(len(ids), maxFacts)] {
		facts = append(facts, events.TokenRevoked{TokenID: id, Owner: owner, Cause: cause})
	}
	return facts
}

// youngestFirst returns the children, each after its own children. If one commit
// cannot end all of them, those that are left still have their parents, so the
// next command finds them.
func youngestFirst(s State, id string, now time.Time) []string {
	ids := children(s, id, now)
	slices.Reverse(ids)
	return ids
}

// HasChildren reports whether the owner has live tokens that were made with the
// token, or with a token that was made with it.
func HasChildren(s State, id string, now time.Time) bool { return len(children(s, id, now)) > 0 }

// children returns the ids of the live tokens that were made with the token or
// with its children, each parent before its children. No token is its own
// ancestor, because a token is made once, with an older token.
func children(s State, id string, now time.Time) (ids []string) {
	family := []string{id}
	for i := 0; i < len(family); i++ {
		for _, v := range s.Tokens {
			if s.Notes[v.ID].MadeWith != family[i] {
				continue
			}
			family = append(family, v.ID)
			if v.LiveAt(now) {
				ids = append(ids, v.ID)
			}
		}
	}
	return ids
}
