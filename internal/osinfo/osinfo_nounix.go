//go:build !unix

package osinfo

import (
	"time"
)

// ProcessorTime returns 0.
func ProcessorTime() time.Duration { return 0 }

// DescriptorLimit reports false.
func DescriptorLimit() (uint64, bool) { return 0, false }
