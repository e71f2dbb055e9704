// Package stream reads the change stream of the DynamoDB table, as Lambda
// delivers it in batches.
//
// It finds the messages of a batch: the records and notices that were
// inserted. Items that were changed or removed, by a caller or by DynamoDB's
// time to live, are not messages. It promises that the messages of one stream
// come in their order, and that no message follows an unreadable record of its
// stream. functions/publish sends the messages.
package stream
