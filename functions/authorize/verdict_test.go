package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/guard/guardtest"
	"apitoken/functions/gateway"
	"apitoken/functions/gateway/iamtest"
	"apitoken/infra/bolt/bolttest"
)

// TestTheAuthorizerAnswersWithTheVerdict sends each question in every form of
// payload, and reads the answer as API Gateway does: a policy decides about the call.
func TestTheAuthorizerAnswersWithTheVerdict(t *testing.T) {
	for _, form := range forms {
		least := 26
		if form == "authorizer-token" {
			least = 25
		}
		guardtest.Run(t, bolttest.Open(t), least, func(t *testing.T, service guardtest.Service) guardtest.Ask {
			s := &scene{T: t, issuer: service.Issuer}
			s.authorizer = s.newAuthorizer(service.Guard())
			s.form = gateway.Policy
			s.authorizer.log = slog.New(slog.NewJSONHandler(&s.log, nil))
			return func(t *testing.T, q guard.Question) (guardtest.Answer, bool) { return s.judge(form, q) }
		})
	}
}

// judge asks the authorizer. It returns false if the payload cannot have the
// question.
func (s *scene) judge(form string, q guard.Question) (guardtest.Answer, bool) {
	if len(q.Authorization) > 1 {
		return guardtest.Answer{}, false
	}
	payload := s.asked(form, "TOKEN", q.Method, q.Path)
	if len(q.Authorization) == 0 {
		payload = bytes.ReplaceAll(payload, []byte(`"headers":{"authorization":"Bearer TOKEN"}`), []byte(`"headers":{}`))
		payload = bytes.ReplaceAll(payload, []byte(`"authorizationToken":"Bearer TOKEN"`), []byte(`"authorizationToken":""`))
	} else {
		payload = bytes.ReplaceAll(payload, []byte("Bearer TOKEN"), []byte(q.Authorization[0]))
	}
	payload = sentFrom(s, payload, q)
	s.log.Reset()
	answer, err := s.Invoke(s.Context(), payload)
	var line struct{ Code, Owner, Token_ID string }
	if err := json.Unmarshal(s.log.Bytes(), &line); err != nil {
		s.Fatal(err)
	}
	switch {
	case errors.Is(err, gateway.ErrUnauthorized):
		return guardtest.Answer{Code: line.Code}, true
	case err != nil:
		return guardtest.Answer{Fault: true}, true
	}
	if r := s.decode(answer, nil); iamtest.Allows(r.PolicyDocument, stageARN+"/"+q.Method+q.Path) {
		return guardtest.Answer{Owner: r.Context["owner"].(string), TokenID: r.Context["token_id"].(string)}, true
	}
	if form == "authorizer-token" && line.Code == guard.CodeWrongSource && q.Source.IsValid() {
		return guardtest.Answer{}, false // a TOKEN payload has no address, so no range has it
	}
	if line.Code == codeOK {
		return guardtest.Answer{Code: "the policy forbids what the log allows"}, true
	}
	return guardtest.Answer{Code: line.Code}, true
}

// sentFrom puts the address of the client into a payload.
func sentFrom(s *scene, payload []byte, q guard.Question) []byte {
	s.Helper()
	var p map[string]any
	if err := json.Unmarshal(payload, &p); err != nil {
		s.Fatal(err)
	}
	address := strings.TrimPrefix(q.Source.String(), "invalid IP")
	context, _ := p["requestContext"].(map[string]any)
	for _, member := range []string{"identity", "http"} {
		if in, ok := context[member].(map[string]any); ok {
			in["sourceIp"] = address
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		s.Fatal(err)
	}
	return b
}
