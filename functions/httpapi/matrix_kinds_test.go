package httpapi_test

// bounds are the limits of the caller's token.
type bounds int

const (
	unlimited bounds = iota
	covers           // its scopes are exactly the calls of this route, about each target, and those of the narrow targets
	elsewhere        // its scopes are every call with another method
	inside           // it has source ranges, and the call comes from one of them
	outside          // the call comes from another address
	expiring         // it expires before the targets
	outgoing         // the secret shown is the one before the last rotation
)

// caller is a kind of credential.
type caller struct {
	name   string
	limits bounds
	denied verdict // the code of the denial if the credential itself is refused
}

func callers() []caller {
	return []caller{
		{"an unlimited token", unlimited, yes},
		{"a token with the scope", covers, yes},
		{"a token without the scope", elsewhere, yes},
		{"a bound token at its address", inside, yes},
		{"a bound token elsewhere", outside, "permission_denied_by_source"},
		{"an expiring token", expiring, yes},
		{"an outgoing secret", outgoing, yes},
		{"a replaced secret", unlimited, "token_replaced"},
		{"a disabled token", unlimited, "token_disabled"},
		{"an expired token", unlimited, "token_expired"},
		{"a revoked token", unlimited, "token_revoked"},
		{"a suspended user", unlimited, "token_suspended"},
		{"an unknown token", unlimited, "token_invalid"},
		{"no credential", unlimited, "credential_missing"},
	}
}

// target is a user or a token of a user.
type target struct {
	name, user, id, text string
	own                  bool     // it is the caller, or one of its tokens
	acting               bool     // it is the acting token
	narrow               bool     // the token is within the bounds of each caller's token
	holds                []string // the actions of another user
	missing              bool     // there is no such token
	revoked, expired     bool
	suspended            bool // the user is suspended
}

// tokenTargets and userTargets are without ids and names, which the scene gives.
func tokenTargets() []target {
	return []target{
		{name: "the acting token", own: true, acting: true},
		{name: "own", own: true},
		{name: "own, narrow", own: true, narrow: true},
		{name: "own, revoked", own: true, revoked: true},
		{name: "own, expired", own: true, expired: true},
		{name: "ann's"},
		{name: "ann's, narrow", narrow: true},
		{name: "ann's, revoked", revoked: true},
		{name: "ann's, expired", expired: true},
		{name: "a deleter's", holds: []string{"delete"}},
		{name: "a deleter's, narrow", narrow: true, holds: []string{"delete"}},
		{name: "a suspended user's, narrow", narrow: true, suspended: true},
		{name: "missing", missing: true},
	}
}

func userTargets() []target {
	return []target{
		{name: "the caller", own: true},
		{name: "ann"},
		{name: "a deleter", holds: []string{"delete"}},
		{name: "a suspended user", suspended: true},
		{name: "nobody", missing: true},
	}
}
