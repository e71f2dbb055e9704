package machine

import (
	"fmt"
	"maps"
	"mime"
	"net/url"
	"strings"
)

// formType is the media type of a form (RFC 6749 appendix B).
const formType = "application/x-www-form-urlencoded"

// form is the body of a request as a form. The service reads a body once.
type form struct {
	read   bool
	values url.Values
	err    error
}

// DecodeForm reads the request's body as a form, and returns the values of the
// parameters with these names. As OAuth asks (RFC 6749 section 3.2), a parameter
// without a value counts as absent, an unknown one is ignored, and one of these that
// is given twice is refused. Another Content-Type than that of a form is refused; a
// request without one is read as a form.
func (x *Exchange) DecodeForm(names ...string) (map[string]string, error) {
	given, err := x.readForm()
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, name := range names {
		switch all := given[name]; {
		case len(all) > 1:
			return nil, FieldProblem("invalid_parameter", name, fmt.Sprintf("is given %d times; once is allowed", len(all)))
		case len(all) == 1:
			values[name] = all[0]
		}
	}
	return values, nil
}

func (x *Exchange) readForm() (url.Values, error) {
	if !x.body.read {
		x.body.values, x.body.err = x.parseForm()
		x.body.read = true
	}
	return x.body.values, x.body.err
}

func (x *Exchange) parseForm() (url.Values, error) {
	if given := x.Request.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != formType {
			return nil, FieldProblem("invalid_header", "Content-Type", "is not that of a form; allowed: "+formType)
		}
	}
	body, err := x.readBody("invalid_parameter")
	if err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, NewProblem("invalid_parameter", "The request body is not a form; it must be NAME=VALUE pairs, percent-encoded and joined by &.")
	}
	return values, nil
}

// usePostedSecret takes the credential of a request without the header Authorization
// from the parameters client_id and client_secret of its form (RFC 6749 section
// 2.3.1): many libraries of OAuth send it there. It counts as a Basic credential. A
// form with a mistake has no credential.
func (x *Exchange) usePostedSecret() {
	if strings.TrimSpace(strings.Join(x.Request.Header["Authorization"], "")) != "" {
		return
	}
	given, err := x.DecodeForm("client_id", "client_secret")
	if err != nil || given["client_secret"] == "" {
		return
	}
	r := *x.Request
	r.Header = maps.Clone(r.Header)
	r.SetBasicAuth(url.QueryEscape(given["client_id"]), url.QueryEscape(given["client_secret"])) // a client id may have a colon
	x.Request = &r
}
