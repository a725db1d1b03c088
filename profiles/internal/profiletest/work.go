package profiletest

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Path begins the names of this package's functions in a profile.
const Path = "github.com/fleetmark/fleetmark/profiles/internal/profiletest."

// Loop burns CPU until ctx is done, and never less than some tenths of a second's worth, so that
// samples fall into it however busy the machine is.
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

// What [Allocate] allocates. At the runtime's rate of a sample per 512 KiB, not one of these 25 MiB
// being sampled has a probability of e^-50.
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

// StartWaiter runs lock in a goroutine, and returns once the scheduler says that it waits for a
// mutex there. wait returns when lock has.
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
