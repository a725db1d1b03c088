//go:build unix && !linux && !darwin

package mockfleet

const maxrssUnit = 1024 // getrusage(2) counts in KiB
