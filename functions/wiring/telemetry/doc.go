// Package telemetry makes the logs and metrics of a Lambda function.
//
// It promises one JSON line for each log record, with the id of the invocation.
// A line with the message "request" also says whether the sandbox was new, and
// contains the metrics of the request in CloudWatch's embedded metric format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// CloudWatch reads the metrics from the log, so a metric costs no call and no
// time.
//
// A line with an error that wraps events.ErrDamaged contains the metric Damaged.
// LogToKeep and LogKept write lines of their own, because their counts are for
// another time than that of the line.
//
// The caller chooses the attributes of a line. This package never reads headers,
// bodies or queries, so it adds nothing from them to a line.
package telemetry
