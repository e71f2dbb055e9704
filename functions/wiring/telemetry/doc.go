// Package telemetry makes the logs and metrics of a Lambda function.
//
// It promises one JSON line for each record, with the invocation's id, and on
// every line that says "request" whether the sandbox was new, and the metrics
// that the line stands for, in CloudWatch's embedded metric format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
// CloudWatch reads them from the log, so a metric costs no call and no time.
//
// What stands on a line is up to whoever writes it; nothing here looks at
// headers, bodies or queries, so nothing of theirs can get in.
package telemetry
