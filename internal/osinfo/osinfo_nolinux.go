//go:build !linux

package osinfo

import (
	"time"
)

// ReadLocalPorts returns nil.
func ReadLocalPorts(string) *LocalPorts { return nil }

// OpenDescriptors returns 0.
func OpenDescriptors() int { return 0 }

// DescriptorNames returns nil.
func DescriptorNames() map[string]int { return nil }

// PeakResident returns 0.
func PeakResident() uint64 { return 0 }

// ResetPeakResident does nothing.
func ResetPeakResident() {}

// PeakResidentOf returns 0.
func PeakResidentOf(int) uint64 { return 0 }

// ResetPeakResidentOf does nothing.
func ResetPeakResidentOf(int) {}

// ProcessorTimeOf reports false.
func ProcessorTimeOf(int) (time.Duration, bool) { return 0, false }

// ResidentOf returns 0.
func ResidentOf(int) uint64 { return 0 }

// ProcessTree returns nil.
func ProcessTree(...int) []int { return nil }

// OtherProcesses reports false.
func OtherProcesses(...int) (time.Duration, bool) { return 0, false }

// Sleeper returns nil.
func Sleeper() func(time.Duration) { return nil }
