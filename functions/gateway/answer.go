package gateway

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// answer is the http.ResponseWriter that keeps all of an answer, since API
// Gateway takes it in one piece.
type answer struct {
	header   http.Header
	sent     http.Header // the headers as they stood at the first write
	status   int
	body     bytes.Buffer
	bodiless bool // a HEAD: what is written is dropped
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

// rest is the answer to a payload of format 1.0.
func (a *answer) rest() lambdaevents.APIGatewayProxyResponse {
	a.WriteHeader(http.StatusOK)
	body, encoded := a.text()
	return lambdaevents.APIGatewayProxyResponse{
		StatusCode: a.status, MultiValueHeaders: a.sent, Body: body, IsBase64Encoded: encoded,
	}
}

// http is the answer to a payload of format 2.0, which has one value for each
// header; several are joined as RFC 9110 section 5.3 has it.
func (a *answer) http() lambdaevents.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	header := make(map[string]string, len(a.sent))
	for name, values := range a.sent {
		header[name] = strings.Join(values, ", ")
	}
	body, encoded := a.text()
	return lambdaevents.APIGatewayV2HTTPResponse{
		StatusCode: a.status, Headers: header, Body: body, IsBase64Encoded: encoded,
	}
}

// text is the body as JSON can carry it: in base64 unless it is plain text.
func (a *answer) text() (body string, encoded bool) {
	if a.sent.Get("Content-Encoding") == "" && utf8.Valid(a.body.Bytes()) {
		return a.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(a.body.Bytes()), true
}
