package oci

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"apitoken/cmd/apitoken/console"
)

// printTable prints a value in the form of OCI's tables. Objects have a sorted column
// for each key; other values have the columns Column1, Column2 and so on.
func printTable(e *console.Env, value any) error {
	rows, isList := value.([]any)
	switch value.(type) {
	case string, map[string]any:
		rows = []any{value}
	default:
		if !isList {
			return failf("Table format not supported for operation return type: %s", cell(value))
		}
	}
	if len(rows) == 0 {
		e.Messagef("Command returned empty list, no table to display.")
		return nil
	}
	heads := headsOf(rows)
	var texts [][]string
	for _, row := range rows {
		texts = append(texts, cells(valuesOf(row, heads)))
	}
	_, err := io.WriteString(e.Out, console.TextBox(cells(heads), texts))
	return err
}

// headsOf are the heads of the columns. The kind of the first row decides.
func headsOf(rows []any) (heads []any) {
	switch first := rows[0].(type) {
	case map[string]any:
		keys := map[string]bool{}
		for _, row := range rows {
			object, _ := row.(map[string]any)
			for key := range object {
				keys[key] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			heads = append(heads, key)
		}
		return heads
	case []any:
		for i := range first {
			heads = append(heads, "Column"+strconv.Itoa(i+1))
		}
		return heads
	}
	return []any{"Column1"}
}

// valuesOf are the values of a row. A key that an object lacks is an empty cell.
func valuesOf(row any, heads []any) []any {
	switch r := row.(type) {
	case []any:
		return r
	case map[string]any:
		var values []any
		for _, head := range heads {
			if value, ok := r[head.(string)]; ok {
				values = append(values, value)
			} else {
				values = append(values, "")
			}
		}
		return values
	}
	return []any{row}
}

func cells(values []any) (row []string) {
	for _, v := range values {
		row = append(row, cell(v))
	}
	return row
}

// cell is the text of a value. OCI's command line is written in Python, and prints
// Python's words.
func cell(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case string:
		return console.Plain(v)
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	return console.Plain(string(b))
}
