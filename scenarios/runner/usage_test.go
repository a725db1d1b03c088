package runner

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUsage checks that an allocation is counted when it is made, and not only when its span is
// full.
func TestUsage(t *testing.T) {
	const n = 100
	kept := make([]*[48]byte, n)
	begin := takeUsage()
	for i := range kept {
		kept[i] = new([48]byte)
	}
	used := begin.until(takeUsage())
	runtime.KeepAlive(kept)
	require.InDelta(t, n, used.objects, 20, "other goroutines may allocate a little")
	require.InDelta(t, 48*n, used.bytes, 4096)
}
