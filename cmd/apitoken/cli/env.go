package cli

import (
	"strconv"

	"apitoken/cmd/apitoken/setting"
)

// envValue is the value of a variable, "" if the variable is unset or empty. It
// removes what editors and shells put around a value, see the package setting.
func (e *env) envValue(name string) (string, error) { return read(name, e.getenv(name), setting.Value) }

// envPath is envValue for the path of a file.
func (e *env) envPath(name string) (string, error) { return read(name, e.getenv(name), setting.Path) }

// envBool is a variable that says yes or no; unset means no.
func (e *env) envBool(name string) (bool, error) {
	text, err := e.envValue(name)
	if err != nil || text == "" {
		return false, err
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return false, usagef("%s has an unknown value; allowed: 1, true, 0, false", name)
	}
	return yes, nil
}

// read reads a setting that is given. source names it in errors.
func read(source, text string, parse func(string) (string, error)) (string, error) {
	if text == "" {
		return "", nil
	}
	value, err := parse(text)
	if err != nil {
		return "", usagef("%s %s", source, err)
	}
	return value, nil
}
