package signin

import (
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

var errNoBrowser = errors.New("there is no browser to open")

// Browser returns a function that opens an address in the browser of the person, or nil
// if there is no screen: xdg-open would then start a browser in the terminal. environ
// are the variables of the process. The browser does not get those of this program, one
// of which may be a token.
func Browser(environ []string) func(address string) error {
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	} else if !slices.ContainsFunc(environ, namesScreen) {
		return nil
	}
	return func(address string) error {
		path, err := exec.LookPath(opener)
		if err != nil {
			return errNoBrowser
		}
		c := exec.Command(path, address)
		c.Env = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "APITOKEN_") })
		if err := c.Start(); err != nil {
			return errNoBrowser
		}
		go func() { _ = c.Wait() }() // it may run as long as the browser
		return nil
	}
}

func namesScreen(variable string) bool {
	name, value, _ := strings.Cut(variable, "=")
	return value != "" && slices.Contains([]string{"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "BROWSER"}, name)
}
