//go:build !linux

package load

// sleepExactly has nothing to do: only Linux has such a setting.
func sleepExactly() {}
