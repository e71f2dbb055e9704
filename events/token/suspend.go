package token

import (
	"time"

	"apitoken/events"
	"apitoken/events/name"
)

// offboardStep is the largest number of tokens that one Offboard ends.
const offboardStep = 40

func (c Suspend) check() error {
	if err := checkReason(c.Owner, c.Reason); err != nil {
		return err
	}
	return c.By.checkSuspension(c.Owner, true)
}

func (c Reinstate) check() error {
	if err := checkReason(c.Owner, c.Reason); err != nil {
		return err
	}
	return c.By.checkSuspension(c.Owner, true)
}

func (c Offboard) check() error {
	if err := checkReason(c.Owner, c.Reason); err != nil {
		return err
	}
	return c.By.checkSuspension(c.Owner, c.By.MayDelete)
}

func checkReason(owner, reason string) error {
	if err := name.ValidOwner(owner); err != nil {
		return err
	}
	return name.CheckText(fieldReason, reason, MaxReason)
}

// checkSuspension refuses a maker that may not suspend the owner. also is a
// permission that the command needs besides edit.
func (m Maker) checkSuspension(owner string, also bool) error {
	if err := m.checkCredential(); err != nil {
		return err
	}
	switch {
	case m.Operator:
		return nil
	case !m.MayEdit:
		return refuse(CodePermissionDenied, fieldUser, `suspending and reinstating users needs the permission edit on the realm "security"`)
	case !also:
		return refuse(CodePermissionDenied, fieldUser, `offboarding a user needs the permissions edit and delete on the realm "security"`)
	case m.Owner == owner:
		return refuse(CodeSelfSuspension, fieldUser, "you cannot suspend, reinstate or offboard yourself; another user with the permission can")
	}
	return nil
}

// suspend marks every live token in the same commit. An expired token needs no
// mark.
func suspend(s State, c Suspend) ([]events.Fact, error) {
	switch {
	case s.Suspended:
		return nil, nil
	case c.LastEditor:
		return nil, LastEditor()
	}
	return []events.Fact{events.UserSuspended{Owner: c.Owner, Reason: c.Reason, TokenIDs: s.live(c.At)}}, nil
}

// LastEditor is the refusal to suspend the last holder of edit who is not suspended.
func LastEditor() error {
	return refuse(CodeLastEditHolder, fieldUser, "the user is the last one with the permission edit who is not suspended; grant edit to another user first")
}

func reinstate(s State, c Reinstate) []events.Fact {
	if !s.Suspended {
		return nil
	}
	return []events.Fact{events.UserReinstated{Owner: c.Owner, Reason: c.Reason, TokenIDs: s.live(c.At)}}
}

// offboard first only suspends, because the marks of 50 tokens and the ends of
// 40 do not fit into one commit.
func offboard(s State, c Offboard) ([]events.Fact, error) {
	if !s.Suspended {
		return suspend(s, Suspend{At: c.At, Owner: c.Owner, Reason: c.Reason, LastEditor: c.LastEditor})
	}
	ids := s.live(c.At)
	return revocations(ids[:min(len(ids), offboardStep)], c.Owner, events.CauseOffboarding), nil
}

// live returns the ids of the tokens that are live at the time now.
func (s State) live(now time.Time) (ids []string) {
	for _, v := range s.Tokens {
		if v.LiveAt(now) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

func suspendedOwner() error {
	return refuse(CodeUserSuspended, fieldUser, "the user is suspended, so no token of the user is made or changed; reinstate the user first")
}
