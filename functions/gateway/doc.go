// Package gateway stands between API Gateway and net/http: it turns the
// payloads of REST APIs (format 1.0) and HTTP APIs (format 2.0) into requests
// and answers back, and reads and answers the payloads of custom authorizers.
//
// It promises that a handler cannot tell API Gateway from a server: headers,
// query, body, source address and path arrive as the client sent them, and
// RequestURI keeps the public path, stage and base path included. Who the
// caller is comes from the authorizer's context and from nowhere else.
//
// Whether a token passes is for events/guard, what a call does for
// functions/httpapi. The shapes are those of AWS's documentation ("Set up Lambda
// proxy integrations", "Create AWS Lambda proxy integrations for HTTP APIs",
// "Input to an API Gateway Lambda authorizer", "Control access to HTTP APIs with
// AWS Lambda authorizers").
package gateway
