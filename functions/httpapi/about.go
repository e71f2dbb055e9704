package httpapi

import (
	_ "embed"
	"fmt"

	"apitoken/functions/httpapi/machine"
)

// OpenAPI is the document that describes the HTTP interface: OpenAPI 3.1 in
// YAML. GET /openapi.yaml answers these bytes.
//
//go:embed openapi.yaml
var OpenAPI []byte

func (x exchange) version() (machine.Answer, error) {
	return machine.Answer{Body: Version{Version: x.Config.Version}, Cache: "no-cache"}, nil
}

func (x exchange) health() (machine.Answer, error) {
	if err := x.Config.Ready(x.Request.Context()); err != nil {
		return machine.Answer{}, machine.Outage(fmt.Errorf("checking readiness: %w", err))
	}
	return machine.Answer{Body: Health{Status: "ok"}}, nil
}

func (x exchange) openAPI() (machine.Answer, error) {
	return machine.Answer{Document: OpenAPI, DocumentType: "application/yaml", Cache: "public, max-age=300"}, nil
}
