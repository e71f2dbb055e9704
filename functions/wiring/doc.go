// Package wiring builds a Lambda function from its environment: settings, store,
// logger and handler.
//
// It promises:
//   - The environment is read once, before the first event.
//   - All faults of the environment are reported together, without their values.
//   - The start makes no call over the network.
//   - A function that lacks a setting does not start.
//
// Parts that only some functions need are in packages of their own, so that a
// function links only the packages that it uses: the HTTP interface is in
// wiring/api, the bus in wiring/outbound.
package wiring
