// Package page is the page on which people manage their tokens in a browser, below
// the path /ui/.
//
// It has no rights of its own. Each act is one call of the API with the session of
// the person who looks at the page, so the page does only what the API does. The
// page keeps nothing: the session is in a cookie of the browser.
//
// It promises that a GET changes nothing, that no form of another origin is
// accepted, that the secret of a token is in one answer only, and that no secret is
// in an address, in a log line or in an answer that a browser may store. All forms
// work without the script, and all links are relative, so the page works below a
// path prefix.
package page
