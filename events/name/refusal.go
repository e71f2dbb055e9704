package name

import (
	"fmt"

	"apitoken/events"
)

// CodeInvalidField is the code of all refusals of this package.
const CodeInvalidField = "invalid_field"

// fieldUser is the member of a request that names a user.
const fieldUser = "user"

func invalid(field, format string, args ...any) *events.Refusal {
	return &events.Refusal{Code: CodeInvalidField, Field: field, Detail: fmt.Sprintf(format, args...)}
}
