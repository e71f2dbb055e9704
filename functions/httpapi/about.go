package httpapi

import (
	_ "embed"
	"fmt"
)

// OpenAPI is the document that describes this interface, OpenAPI 3.1 in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

func (x *exchange) version() (reply, error) {
	return reply{body: Version{Version: x.api.Version}, cache: "no-cache"}, nil
}

func (x *exchange) health() (reply, error) {
	if err := x.api.Ready(x.r.Context()); err != nil {
		return reply{}, outage{fmt.Errorf("checking readiness: %w", err)}
	}
	return reply{body: Health{Status: "ok"}}, nil
}

func (x *exchange) openAPI() (reply, error) {
	return reply{document: OpenAPI, kind: "application/yaml", cache: "public, max-age=300"}, nil
}
