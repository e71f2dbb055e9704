package dynamo_test

import (
	"testing"

	"apitoken/events/attacktest"
	"apitoken/infra/dynamo/dynamotest"
)

func TestARepairEndsWhatAWriterOfTheTableDid(t *testing.T) {
	c := client(t)
	attacktest.Run(t, func(t *testing.T) attacktest.Store { return dynamotest.New(c, newTable(t, c)) })
}
