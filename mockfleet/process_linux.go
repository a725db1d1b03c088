package mockfleet

import (
	"bytes"
	"os"
	"strconv"
)

// residentBytes is the resident memory of the process; 0 where it can't be read.
func residentBytes() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// openDescriptors is how many descriptors the process has open; 0 where that can't be read.
func openDescriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	names, err := dir.Readdirnames(-1)
	if closeErr := dir.Close(); err != nil || closeErr != nil {
		return 0
	}
	return len(names) - 1 // without the one that lists them
}
