package stack_test

import (
	"testing"

	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/qumulo"
)

// qumuloClients drives the stack with Qumulo's clients, through a proxy: the clients
// speak only TLS and know no prefix of paths. So the drive cannot show how the service
// itself ends TLS connections, or what it does about a client's source port. The drive
// against serve shows both.
func (s *stack) qumuloClients(t *testing.T) {
	host, port, _ := s.tlsProxy(t)
	to := qumulo.Target{
		QQ: engines.Tool(t, engines.QQ), Python: engines.Python(t, engines.QQ),
		Host: host, Port: port, Admin: s.admin, Differs: gatewayAnswers,
	}
	t.Run("qq", func(t *testing.T) { qumulo.Commands(t, to) })
	t.Run("the Python bindings", func(t *testing.T) { qumulo.Bindings(t, to) })
}

// gatewayAnswers are the lines of the session that cannot be shown here, because API
// Gateway answers these calls itself and knows less than the service.
var gatewayAnswers = []drive.Difference{
	// The gateway does not call the authorizer without a token, and does not pass on why
	// the authorizer refuses one.
	{
		Command: "nobody$ auth_list_access_tokens",
		Serve:   "Error 401: http_unauthorized_error: The request has no credential; send the header Authorization: Bearer TOKEN.",
		Here:    "Error 401: http_unauthorized_error: The request needs one valid token in its Authorization header.",
	},
	{
		Command: "alice$ auth_list_access_tokens",
		Serve:   "Error 401: http_unauthorized_error: The token is revoked.",
		Here:    "Error 401: http_unauthorized_error: The request needs one valid token in its Authorization header.",
	},
	// MiniStack decodes the slash in the id before it looks for the route.
	{
		Command: "alice$ auth_get_access_token a/b",
		Serve:   "Error 404: http_not_found_error: There is no such token.",
		Here:    "Error 404: http_not_found_error: There is no such path. GET /openapi.yaml lists all paths.",
	},
}
