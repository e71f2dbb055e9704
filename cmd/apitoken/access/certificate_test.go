package access

import (
	"encoding/pem"
	"net/http/httptest"
)

// certificateOf is the certificate of a server as PEM.
func certificateOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}
