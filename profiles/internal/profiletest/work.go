package profiletest

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Path begins the names of this package's functions in a profile.
const Path = "github.com/fleetmark/fleetmark/profiles/internal/profiletest."

// Loop uses a processor until ctx is done, and for at least some tenths of a second of processor
// time, so that it is sampled even on a busy machine.
//
//go:noinline
func Loop(ctx context.Context) uint64 {
	x := uint64(88172645463325252)
	for round := 0; round < 300 || ctx.Err() == nil; round++ {
		for range 1_000_000 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	}
	return x
}

// The blocks of [Allocate], 25 MiB together. At the runtime's rate of a sample per 512 KiB, the
// probability that none of them is sampled is e^-50.
const (
	BlockBytes = 256 << 10
	Blocks     = 100
)

// Allocate allocates [Blocks] blocks of [BlockBytes] each.
//
//go:noinline
func Allocate() [][]byte {
	blocks := make([][]byte, 0, Blocks)
	for range Blocks {
		blocks = append(blocks, make([]byte, BlockBytes))
	}
	return blocks
}

// StartWaiter runs lock in a goroutine, and returns when the goroutine waits for a mutex. wait
// waits until lock has returned.
func StartWaiter(t *testing.T, lock func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() { runWaiter(lock) })
	buf := make([]byte, 1<<20)
	for t.Context().Err() == nil {
		stacks := string(buf[:runtime.Stack(buf, true)])
		for stack := range strings.SplitSeq(stacks, "\n\n") {
			if strings.Contains(stack, "[sync.Mutex.Lock]") && strings.Contains(stack, Path+"runWaiter(") {
				return wg.Wait
			}
		}
		runtime.Gosched()
	}
	return wg.Wait
}

//go:noinline
func runWaiter(lock func()) { lock() }

// CountEveryAllocation makes the profiles of allocations exact until the test ends.
//
// With each sample the runtime decides how many bytes later the same processor takes the next one, by
// default some 512 KiB. A new rate applies from then on. So every processor allocates enough to take
// a sample before CountEveryAllocation returns.
func CountEveryAllocation(t testing.TB) {
	t.Helper()
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	t.Cleanup(func() { runtime.MemProfileRate = rate })
	processors := int32(runtime.GOMAXPROCS(0))
	var on atomic.Int32
	var all sync.WaitGroup
	for range processors {
		all.Go(func() {
			on.Add(1)
			for on.Load() < processors { // each goroutine keeps its processor until all have one
			}
			Allocate()
		})
	}
	all.Wait()
}
