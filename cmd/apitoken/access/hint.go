package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Hint says what the user can do about a call that did not reach the service, "" if
// nothing is known about the error.
func Hint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "if the service made its own certificate, give --ca-file with it (`serve --tls-self-signed` writes DIR/tls.crt), or set APITOKEN_CA_FILE; for a context, add the context again with --ca-file"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for other names; use one of them in the address, or check whether another server answers"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "renew the certificate of the service, or correct the clock of this machine"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the port has no TLS; if this is the right port, use http://"
	}
	return networkHint(err)
}

func networkHint(err error) string {
	unknownHost, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && unknownHost.IsNotFound:
		return "there is no host of this name; check the address of the service"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no service listens at this address; start one with `apitoken serve`, or set APITOKEN_URL to the address of the service"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "the service does not answer in time; check the address, and whether a firewall or a proxy is between"
	}
	return ""
}
