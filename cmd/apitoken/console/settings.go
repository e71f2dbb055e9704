package console

import (
	"strconv"

	"apitoken/cmd/apitoken/setting"
)

// EnvValue is the value of a variable, "" if the variable is unset or empty. It
// removes what editors and shells put around a value, see the package setting.
func (e *Env) EnvValue(name string) (string, error) {
	return ReadSetting(name, e.Getenv(name), setting.Value)
}

// EnvPath is EnvValue for the path of a file.
func (e *Env) EnvPath(name string) (string, error) {
	return ReadSetting(name, e.Getenv(name), setting.Path)
}

// EnvBool is a variable that says yes or no; unset means no.
func (e *Env) EnvBool(name string) (bool, error) {
	text, err := e.EnvValue(name)
	if err != nil || text == "" {
		return false, err
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return false, Usagef("%s has an unknown value; allowed: 1, true, 0, false", name)
	}
	return yes, nil
}

// ReadSetting reads a setting that is given. source names it in errors.
func ReadSetting(source, text string, parse func(string) (string, error)) (string, error) {
	if text == "" {
		return "", nil
	}
	value, err := parse(text)
	if err != nil {
		return "", Usagef("%s %s", source, err)
	}
	return value, nil
}
