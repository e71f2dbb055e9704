package proxies

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"apitoken/functions/httpapi/forward"
)

// envoy does in the place of Envoy what the published comments of ext_authz.proto say
// about an HTTP service (envoyproxy/go-control-plane, package ext_authzv3), with the
// rules of our file:
//
//   - The request to the service has the method, the host and the path of the client
//     after path_prefix, Authorization, and Content-Length 0 without a body. Of the
//     other headers it has those of allowed_headers.
//   - headers_to_add overrides the client's headers of the same name.
//   - With the status 200 the headers of allowed_upstream_headers override those of the
//     client. Then the route removes request_headers_to_remove.
//   - A 5xx, or no answer, is an error: the client gets status_on_error.
//   - The client gets any other answer, with its headers and its body.
type envoy struct {
	s     *scene
	authz extAuthz
	drop  []string
	proxy *httputil.ReverseProxy
}

type matchers struct {
	Patterns []struct {
		Exact      string
		IgnoreCase bool `yaml:"ignore_case"`
	}
}

func (m matchers) match(name string) bool {
	for _, p := range m.Patterns {
		if p.Exact == name || p.IgnoreCase && strings.EqualFold(p.Exact, name) {
			return true
		}
	}
	return false
}

type extAuthz struct {
	FailureModeAllow bool                  `yaml:"failure_mode_allow"`
	StatusOnError    struct{ Code string } `yaml:"status_on_error"`
	AllowedHeaders   matchers              `yaml:"allowed_headers"`
	HTTPService      struct {
		ServerURI  struct{ Cluster string } `yaml:"server_uri"`
		PathPrefix string                   `yaml:"path_prefix"`
		Request    struct {
			HeadersToAdd []struct{ Key, Value string } `yaml:"headers_to_add"`
		} `yaml:"authorization_request"`
		Response struct {
			AllowedUpstreamHeaders matchers `yaml:"allowed_upstream_headers"`
		} `yaml:"authorization_response"`
	} `yaml:"http_service"`
}

func startEnvoy(s *scene) {
	e := &envoy{s: s}
	var file map[string]any
	if err := yaml.Unmarshal([]byte(s.config("envoy")), &file); err != nil {
		s.Fatal(err)
	}
	manager := at(file, "static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config")
	listen := at(file, "static_resources", "listeners", 0, "address", "socket_address", "port_value")
	clusters := at(file, "static_resources", "clusters").([]any)
	ask, backend := clusterPort(clusters, "apitoken"), clusterPort(clusters, "guarded")
	filters := at(manager, "http_filters").([]any)
	b, err := yaml.Marshal(at(filters[0], "typed_config"))
	if err == nil {
		err = yaml.Unmarshal(b, &e.authz)
	}
	if err != nil {
		s.Fatal(err)
	}
	for _, name := range at(manager, "route_config", "virtual_hosts", 0, "request_headers_to_remove").([]any) {
		e.drop = append(e.drop, name.(string))
	}
	_, port, _ := net.SplitHostPort(s.address)
	if text(listen) != port || ask != portOf(s.ask.Listener) || backend != portOf(s.backend.Listener) || len(filters) != 2 || at(filters[1], "name") != "envoy.filters.http.router" {
		s.Fatalf("the file has the ports %v, %s and %s, and %d filters", listen, ask, backend, len(filters))
	}
	e.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		path, query, _ := strings.Cut(r.In.RequestURI, "?")
		r.Out.URL = &url.URL{Scheme: "http", Host: s.backend.Listener.Addr().String(), Opaque: path, RawQuery: query}
	}}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.Fatal(err)
	}
	server := &http.Server{Handler: e, DisableGeneralOptionsHandler: true}
	go server.Serve(l)
	s.Cleanup(func() { server.Close() })
}

// at returns the member of a YAML document at a path.
func at(in any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			in = in.(map[string]any)[step]
		case int:
			in = in.([]any)[step]
		}
	}
	return in
}

func clusterPort(clusters []any, name string) string {
	i := slices.IndexFunc(clusters, func(c any) bool { return at(c, "name") == name })
	return text(at(clusters[i], "load_assignment", "endpoints", 0, "lb_endpoints", 0, "endpoint", "address", "socket_address", "port_value"))
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func text(v any) string {
	b, _ := yaml.Marshal(v)
	return strings.TrimSpace(string(b))
}

func (e *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got, body, err := e.check(r)
	switch {
	case err != nil, got.StatusCode >= 500:
		if e.authz.FailureModeAllow || e.authz.StatusOnError.Code != "ServiceUnavailable" {
			panic("the file answers an error in another way")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case got.StatusCode != http.StatusOK:
		for name, values := range got.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(got.StatusCode)
		w.Write(body)
		return
	}
	for name, values := range got.Header {
		if e.authz.HTTPService.Response.AllowedUpstreamHeaders.match(name) {
			r.Header[name] = values
		}
	}
	for _, name := range e.drop {
		r.Header.Del(name)
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // the backend may answer while the end of the body is on its way
	e.proxy.ServeHTTP(w, r)
}

// check writes the request to the service as Envoy does, with the path as it is.
func (e *envoy) check(r *http.Request) (*http.Response, []byte, error) {
	var b bytes.Buffer
	b.WriteString(r.Method + " " + e.authz.HTTPService.PathPrefix + r.RequestURI + " HTTP/1.1\r\n")
	h := http.Header{"Content-Length": {"0"}, "Connection": {"close"}}
	for name, values := range r.Header {
		if name == "Authorization" || e.authz.AllowedHeaders.match(name) {
			h[name] = values
		}
	}
	for _, add := range e.authz.HTTPService.Request.HeadersToAdd {
		if add.Value != "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" {
			panic("the file has another variable: " + add.Value)
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		h.Set(add.Key, host)
	}
	b.WriteString("Host: " + r.Host + "\r\n")
	h.Write(&b)
	b.WriteString("\r\n")
	conn, err := net.Dial("tcp", e.s.ask.Listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(b.Bytes()); err != nil {
		return nil, nil, err
	}
	got, err := http.ReadResponse(newReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(got.Body)
	return got, body, err
}

// TestEnvoysOwnRulesHold: without the header that our file adds, there is no verdict,
// and a client's copy of it counts for nothing.
func TestEnvoysOwnRulesHold(t *testing.T) {
	s := newScene(t)
	for name, header := range map[string]string{"missing": "", "repeated": "X-Envoy-External-Address: 10.0.0.1\r\nX-Envoy-External-Address: 127.0.0.1\r\n"} {
		conn, err := net.Dial("tcp", s.ask.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET "+forward.Prefix+"envoy/public/x HTTP/1.1\r\nHost: api.example.org\r\n"+header+"\r\n")
		got, err := http.ReadResponse(newReader(conn), nil)
		conn.Close()
		if err != nil || got.StatusCode != 500 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
