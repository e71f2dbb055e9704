package vast

import (
	"apitoken/events/guard"
	"apitoken/functions/httpapi/machine"
)

// Session is the answer to a login. VAST's Go client sends Access as its Bearer
// credential. There is no token that continues the session, so Refresh is "".
type Session struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

// login opens a session with a user name and a password.
func (x exchange) login() (machine.Answer, error) {
	_, text, err := x.LogIn(loginDetail, new(machine.SignIn))
	if err != nil {
		return machine.Answer{}, err
	}
	return machine.Answer{Body: Session{Access: text.Reveal()}}, nil
}

const refreshDetail = "This service continues no session. Log in again with POST /api/token/, or use a token, which needs no login."

// refresh refuses to continue a session. It does not read the body.
func (x exchange) refresh() (machine.Answer, error) {
	if x.Config.Passwords == nil {
		return machine.Answer{}, machine.NewProblem(guard.CodePassword, loginDetail)
	}
	return machine.Answer{}, machine.NewProblem(guard.CodePassword, refreshDetail)
}
