package stack_test

import (
	"testing"

	"apitoken/localstack/engines"
	"apitoken/localstack/vast"
)

// vastClients drives the stack with VAST's clients, through the proxy: the clients speak
// only TLS and know no prefix of paths. So the drive cannot show the service's own
// certificate: it checks that of the proxy.
func (s *stack) vastClients(t *testing.T) {
	to := vast.Target{CLI: engines.Tool(t, engines.Vastpy), Python: engines.Python(t, engines.Vastpy), Admin: s.admin}
	to.Host, to.Port, to.Certificate = s.tlsProxy(t)
	t.Run("vastpy-cli", func(t *testing.T) { vast.Commands(t, to) })
	t.Run("the SDK", func(t *testing.T) { vast.SDK(t, to) })
}
