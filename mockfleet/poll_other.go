//go:build !unix

package mockfleet

const canPoll = false

// readNow is never called where canPoll is false.
func readNow(uintptr, []byte) (int, error) { return 0, errNothingYet }
