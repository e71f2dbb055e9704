package attack

import (
	"testing"

	"apitoken/localstack/drive"
)

func TestMain(m *testing.M) { drive.Main(m) }
