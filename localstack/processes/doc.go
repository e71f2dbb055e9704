// Package processes runs several real processes of `apitoken serve --table` on one table
// of DynamoDB Local, each with an EventBridge of its own, so that a test sees which
// process sends an event. Processes are killed, stopped for a time and ended.
//
// Only tests are in this package.
package processes
