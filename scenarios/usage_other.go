//go:build !unix

package scenarios

import "time"

// processorTime is not known here: cpu-ns/op is left out.
func processorTime() time.Duration { return 0 }

// DescriptorLimit is not known here.
func DescriptorLimit() (uint64, bool) { return 0, false }
