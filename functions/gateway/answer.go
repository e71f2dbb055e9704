package gateway

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// answer is an http.ResponseWriter that collects the whole answer: API Gateway
// accepts an answer only as one payload.
type answer struct {
	header   http.Header
	sent     http.Header // the headers at the first write; later changes have no effect
	status   int
	body     bytes.Buffer
	bodiless bool // for a HEAD request: Write drops the body
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.bodiless {
		return len(b), nil
	}
	return a.body.Write(b)
}

// restResponse returns the answer to a payload of format 1.0.
func (a *answer) restResponse() lambdaevents.APIGatewayProxyResponse {
	a.WriteHeader(http.StatusOK)
	body, encoded := a.bodyText()
	return lambdaevents.APIGatewayProxyResponse{
		StatusCode: a.status, MultiValueHeaders: a.sent, Body: body, IsBase64Encoded: encoded,
	}
}

// httpResponse returns the answer to a payload of format 2.0. That format has
// one value for each header, so several values are joined with commas (RFC 9110
// section 5.3).
func (a *answer) httpResponse() lambdaevents.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	header := make(map[string]string, len(a.sent))
	for name, values := range a.sent {
		header[name] = strings.Join(values, ", ")
	}
	body, encoded := a.bodyText()
	return lambdaevents.APIGatewayV2HTTPResponse{
		StatusCode: a.status, Headers: header, Body: body, IsBase64Encoded: encoded,
	}
}

// bodyText returns the body in a form that JSON can contain: as it is if it is
// UTF-8 text, and otherwise, or with a Content-Encoding, in base64.
func (a *answer) bodyText() (body string, encoded bool) {
	if a.sent.Get("Content-Encoding") == "" && utf8.Valid(a.body.Bytes()) {
		return a.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(a.body.Bytes()), true
}
