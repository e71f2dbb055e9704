package httpapi

import (
	_ "embed"
	"fmt"
)

// OpenAPI is the document that describes the HTTP interface: OpenAPI 3.1 in
// YAML. GET /openapi.yaml answers these bytes.
//
//go:embed openapi.yaml
var OpenAPI []byte

func (x *exchange) version() (answer, error) {
	return answer{body: Version{Version: x.api.Version}, cache: "no-cache"}, nil
}

func (x *exchange) health() (answer, error) {
	if err := x.api.Ready(x.r.Context()); err != nil {
		return answer{}, outage{fmt.Errorf("checking readiness: %w", err)}
	}
	return answer{body: Health{Status: "ok"}}, nil
}

func (x *exchange) openAPI() (answer, error) {
	return answer{document: OpenAPI, documentType: "application/yaml", cache: "public, max-age=300"}, nil
}
