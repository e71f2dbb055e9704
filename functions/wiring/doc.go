// Package wiring makes a Lambda function out of its environment: settings,
// store, logger, handler.
//
// It promises that the environment is read once, before the first event, that
// all its faults are reported together and without their values, and that
// starting makes no call over the network. A function that lacks something does
// not start.
//
// What only some functions need is in packages of its own, so that a function
// links only what it uses: the HTTP interface in wiring/api, the bus in
// wiring/outbound.
package wiring
