package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// Hint says what the user can do about a call that did not reach the service, "" if
// nothing is known about the error.
func Hint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "if this is a --tls-self-signed service, give --ca-file DIR/tls.crt, with DIR its data folder, or set APITOKEN_CA_FILE; for a context, add the context again with --ca-file"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for other names; use one of them in the address, or start the service with --tls-name if it is a --tls-self-signed service, or check whether another server answers"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "renew the certificate of the service, or correct the clock of this machine"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the port has no TLS; if this is the right port, use http://"
	}
	if speaksTLS(err) {
		return "the port speaks https: begin the address with https://"
	}
	if hint := socketHint(err); hint != "" {
		return hint
	}
	return networkHint(err)
}

// alert is how net/http quotes the beginning of an alert of TLS, the answer of many
// servers to plain http.
var alert = regexp.MustCompile(`malformed HTTP response "\\x15\\x03`)

// speaksTLS reports whether a server answered plain http with TLS. net/http has no type
// for this error.
func speaksTLS(err error) bool { return err != nil && alert.MatchString(err.Error()) }

func socketHint(err error) string {
	failed, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || failed.Net != "unix":
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "no service has a socket there; start one with `apitoken serve --listen unix:PATH`, or check the path"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not use the socket; its user and its group may"
	}
	return ""
}

func networkHint(err error) string {
	unknownHost, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && unknownHost.IsNotFound:
		return "there is no host of this name; check the address of the service"
	case isPlain(err) && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return "the connection was closed without an answer; if the port speaks https, begin the address with https://"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no service listens at this address; start one with `apitoken serve`, or set APITOKEN_URL to the address of the service"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "the service does not answer in time; check the address, and whether a firewall or a proxy is between"
	}
	return ""
}

// isPlain reports whether a call was made with plain http over the network.
func isPlain(err error) bool {
	failed, ok := errors.AsType[*url.Error](err)
	return ok && strings.HasPrefix(failed.URL, "http://") && !strings.HasPrefix(failed.URL, unixBase+"/")
}
