// Package events is the core of the service: what can happen to tokens, sessions and
// settings, the log that keeps it, and the ports to stores and the bus. The
// packages below it are the rules (token, session, scope, settings), the forms of their
// values (name, instant, secret), the service that applies the rules (issuer,
// guard, sweep, relay, audit) and the test suites: storetest and bustest check the
// ports' promises for every store and bus, and lifetest runs all commands on every
// store.
//
// This package has the facts with their one table, the records and their hash
// chain, the commits that add records, and the ports. The package does not decide
// anything. It imports the standard library only, so a program that verifies a
// history needs nothing else.
//
// Each owner has a stream of records about its tokens and one about its sessions, and
// the settings have one. The head of a
// stream is its current end: version, chain hash, folded state and seal. A
// command reads a head, decides, and writes records and head in one commit. The
// commit succeeds only if the head is still the one that was read. This one
// condition keeps the order of the records and enforces every limit.
//
// # Glossary
//
// One word for one idea. Go and events use these words. The API has other words
// for some of these ideas: user for owner, id for token id, expiration_time for
// expires_at, pass for walk, page for stretch, cursor for place.
//
//	owner           the user that a token acts for
//	creator         the user that made a token
//	owner key       an owner as text, such as "ann" or "ACTIVE_DIRECTORY:ann"
//	caller          the sender of a request, known by a credential
//	actor           the caller in a record; an operator at the store is
//	                API_OPERATOR_DOMAIN:operator
//	acting token    the token that the caller shows
//	maker           the caller of a command, with the powers of the acting token
//	principal       the result of a credential check: caller, token and powers
//	token id        8 characters, public, used in logs and in admin calls
//	secret          32 characters, shown once
//	outgoing secret the secret that the last rotation replaced; the other one is
//	                the current secret
//	grace           how long an outgoing secret passes
//	verifier        the HMAC that is stored in place of a secret
//	deployment      one installation with its own log; its id is in the source of
//	                its events
//	instant         a point in time, in UTC and in whole microseconds
//	pepper, kid     a secret key of the deployment, and its name
//	seal            an HMAC under a pepper, over a head or a view
//	record MAC      an HMAC under a pepper, over the hash of a record
//	damaged         stored data that this service did not write, or that cannot
//	                be decoded
//	mint            to make a new random token, or its id
//	port            an interface that a store or a bus implements
//	session         a token that a sign-in opens: it ends after hours, never changes,
//	                and is listed only when asked for
//	sign-in         the opening of a session, by a person or a program
//	via             how a session was opened: oidc, password, token or exchange
//	group           a group of an identity provider; its actions are those of the
//	                sessions of its members
//	stream          the log of one owner's tokens, of one owner's sessions, or of the
//	                settings
//	change stream   not a stream of this service, but DynamoDB Streams
//	walk            one reading of all streams, in stretches
//	place           where a stretch ends, and where the next one begins
//	fact            one thing that happened, as a Go type
//	record          a fact as stored: with sequence, actor, command, time, hashes
//	event, message  a record as published, without its private part
//	cause           why a fact happened, if it has several possible causes
//	notice          a message that is not a fact of a stream
//	head            the current end of a stream
//	fold            to compute a state from the state before and one more fact
//	state           what the rules need to know of one stream, folded from facts
//	upcaster        code that reads an older version of a stored form
//	view            the one item that authorize reads for a token
//	use             when and from where a token was last used
//	reply           the stored answer of a command, for a repeat of the command
//	sweep           the run that warns before expiries and records them
//	lease           the right of one process, for a time, to a piece of work
//	warning         a notice that a token expires in a number of days, or less
//	outbox          the messages that are not yet on the bus
//	copy            a message as the audit keeps it, apart from the log
//	live            neither revoked nor expired; a disabled token is live, and
//	                the limit counts live tokens
//	ended           revoked or expired
//	suspended       of an owner: no token of the owner passes, and no command makes
//	                or changes one; of a token: the owner is suspended
//	child           a token that was made with another token of the same owner
//	retention       how long records and ended tokens are kept
//	command         a request to change something, with its time and its ids
//	change          what the change rate counts: the creation, update, enabling or
//	                rotation of a token
//	effect          what a commit writes besides records and head
//	realm           a group of permissions; the service has only "security"
//	refusal         the rules do not allow a command: an answer, not an error of
//	                the service
//	denial          the guard does not accept a credential or a call
//	fault           the service cannot decide, or data is damaged: a 5xx
//	problem         an error answer over HTTP (RFC 9457)
//	verdict         the one answer of the guard to a call: allow, deny or fault
package events
