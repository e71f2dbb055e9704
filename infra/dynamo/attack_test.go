package dynamo_test

import (
	"testing"

	"apitoken/events/attacktest"
	"apitoken/infra/dynamo/dynamotest"
)

func TestAWriterOfTheTableCannotChangeAField(t *testing.T) {
	c := client(t)
	attacktest.Run(t, func(t *testing.T) attacktest.Store { return dynamotest.New(c, newTable(t, c)) })
}
