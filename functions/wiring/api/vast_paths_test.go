package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/token"
)

// ask sends GET of a path below /api/ in one format. The stage or the base path of a
// domain is the prefix. proxy is the value of the greedy parameter.
func (d *deployment) ask(h lambda.Handler, format, prefix, path, proxy, text string) answer {
	d.Helper()
	header, parameters := map[string]string{"Authorization": "Api-Token " + text, "Host": "example.com", "X-Forwarded-Proto": "https"}, map[string]string{"proxy": proxy}
	var in any = lambdaevents.APIGatewayProxyRequest{
		HTTPMethod: http.MethodGet, Path: path, Resource: "/api/{proxy+}", PathParameters: parameters, Headers: header,
		QueryStringParameters: map[string]string{"page_size": "1"}, RequestContext: lambdaevents.APIGatewayProxyRequestContext{Path: prefix + path},
	}
	if format == "2.0" {
		http2 := lambdaevents.APIGatewayV2HTTPRequest{
			Version: format, RouteKey: "ANY /api/{proxy+}", RawPath: prefix + decoded(path), PathParameters: parameters, Headers: header, RawQueryString: "page_size=1",
		}
		http2.RequestContext.HTTP.Method, http2.RequestContext.Stage = http.MethodGet, strings.Trim(prefix, "/")
		in = http2
	}
	payload, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	out, err := h.Invoke(d.Context(), payload)
	if err != nil {
		d.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		d.Fatal(err)
	}
	return a
}

func decoded(path string) string {
	return strings.NewReplacer("%2F", "/", "%2E", ".", "%6C", "l", "%61", "a", "%3B", ";").Replace(path)
}

// TestPathsOfVASTBehindAGateway: a gateway sends the greedy parameter encoded or
// decoded, and stages and base paths may look like a part of the path. Each spelling is
// the path that the client sent, or no path of the function. It is never another path,
// which scopes would admit.
func TestPathsOfVASTBehindAGateway(t *testing.T) {
	d := deploy(t, false)
	d.Deployment = "test"
	h := serve(d.Function, "vast")
	all, _ := d.token(token.Wish{})
	latest, _ := d.token(token.Wish{Scopes: []string{"GET /api/latest/apitokens"}})
	bare, _ := d.token(token.Wish{Scopes: []string{"GET /api/apitokens"}})
	for _, c := range []struct {
		path              string
		all, latest, bare int // the statuses for each token
	}{
		{"/api/latest/apitokens/", 200, 200, 403},
		{"/api/latest/apitokens", 200, 200, 403},
		{"/api/apitokens/", 200, 403, 200},
		{"/api/v5/apitokens", 200, 403, 403},
		{"/api/v5/latest/apitokens", 404, 404, 404},
		{"/api/api/apitokens", 404, 404, 404},
		{"/api/api/latest/apitokens", 404, 404, 404},
		{"/api//apitokens", 404, 404, 404},
		{"/api/latest//apitokens", 404, 404, 404},
		{"/api/apitokens//", 404, 404, 404},
		{"/api/x/../apitokens", 404, 404, 404},
		{"/api/latest/../apitokens", 404, 404, 404},
		{"/api/..%2Fapi/apitokens", 404, 404, 404},
		{"/api/latest%2F..%2Fapitokens", 404, 404, 404},
		{"/api/v1/auth/access-tokens", 404, 404, 404},
		{"/api/latest%3B/apitokens", 404, 404, 404},
	} {
		for _, format := range []string{"1.0", "2.0"} {
			for _, prefix := range []string{"/prod", "", "/api", "/api/latest", "/latest"} {
				below := strings.TrimPrefix(c.path, "/api/")
				for _, proxy := range []string{below, strings.TrimSuffix(below, "/"), decoded(below), strings.Trim(decoded(below), "/")} {
					for i, want := range []int{c.all, c.latest, c.bare} {
						if got := d.ask(h, format, prefix, c.path, proxy, []string{all, latest, bare}[i]); got.StatusCode != want {
							t.Errorf("format %s, prefix %q, path %s, parameter %q, token %d: got %d %s, want %d", format, prefix, c.path, proxy, i, got.StatusCode, got.Body, want)
						}
					}
				}
			}
		}
	}
	for format, prefix := range map[string]string{"1.0": "/api", "2.0": "/prod"} {
		want := `"next":"https://example.com` + prefix + `/api/v5/apitokens/?page=2&page_size=1"`
		if got := d.ask(h, format, prefix, "/api/v5/apitokens/", "v5/apitokens", all); !strings.Contains(got.Body, want) {
			t.Errorf("format %s, prefix %s: got %s, want %s", format, prefix, got.Body, want)
		}
	}
}
