//go:build !unix

package mockfleet

// clientLeft is never called where canPoll is false.
func clientLeft(uintptr) bool { return false }
