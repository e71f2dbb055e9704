package qumulo_test

import (
	"testing"

	"apitoken/localstack/drive"
)

func TestMain(m *testing.M) { drive.Main(m) }
