// Package gateway connects API Gateway with net/http. It converts the payloads
// of REST APIs (format 1.0) and HTTP APIs (format 2.0) to requests, and the
// answers back to payloads. It also reads and answers the payloads of custom
// authorizers.
//
// It promises that a handler sees the same request from API Gateway as from a
// server: headers, query, body, source address and path arrive as the client
// sent them. RequestURI has the public path, with stage and base path. Only the
// authorizer's context says who the caller is.
//
// events/guard decides whether a token passes. functions/httpapi decides what a
// call does. The payloads have the form that AWS documents ("Set up Lambda
// proxy integrations", "Create AWS Lambda proxy integrations for HTTP APIs",
// "Input to an API Gateway Lambda authorizer", "Control access to HTTP APIs with
// AWS Lambda authorizers").
package gateway
