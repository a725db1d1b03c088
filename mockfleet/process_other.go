//go:build !linux

package mockfleet

// residentBytes is known on Linux only.
func residentBytes() uint64 { return 0 }

// openDescriptors is known on Linux only.
func openDescriptors() int { return 0 }
