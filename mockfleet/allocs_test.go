//go:build !race

package mockfleet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Not under the race detector: there, sync.Pool drops what it is given at random.

func TestAnAnswerAllocatesNothing(t *testing.T) {
	for _, p := range hotPaths {
		t.Run(p.name, func(t *testing.T) {
			c, memory := replay(p.request)
			answerOnce(t, c)
			require.Contains(t, string(memory.wrote), p.want)
			// A garbage collection may empty the pools, and refilling them costs a few allocations
			// once: over 1,000 runs less than one each, and so none in the average.
			require.Zero(t, testing.AllocsPerRun(1000, func() { answerOnce(t, c) }))
		})
	}
}
