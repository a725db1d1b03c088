//go:build !linux

package scenarios

import "github.com/fleetmark/fleetmark/results"

// ReadLocalPorts is known on Linux only.
func ReadLocalPorts(string) *results.LocalPorts { return nil }

// openDescriptors is known on Linux only.
func openDescriptors() int { return 0 }

// descriptorNames is known on Linux only.
func descriptorNames() map[string]int { return nil }
