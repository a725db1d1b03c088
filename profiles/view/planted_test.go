package view_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Work whose place in a profile is known. None of it is inlined, so that each has
// its own name in the stacks.

const planted = "github.com/fleetmark/fleetmark/profiles/view_test."

// plantedLoop burns CPU until ctx is done, and never less than some tenths of a
// second's worth, so that samples fall into it however busy the machine is.
//
//go:noinline
func plantedLoop(ctx context.Context) uint64 {
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

// At the runtime's rate of a sample per 512 KiB, not one of these 25 MiB being sampled has a
// probability of e^-50.
const (
	blockBytes = 256 << 10
	blockCount = 100
)

//go:noinline
func allocateDuring() [][]byte {
	blocks := make([][]byte, 0, blockCount)
	for range blockCount {
		blocks = append(blocks, make([]byte, blockBytes))
	}
	return blocks
}

// contendDuring has a goroutine wait for a lock, so that profiles of kind mutex and block hold
// something.
func contendDuring(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	var wg sync.WaitGroup
	wg.Go(func() {
		mu.Lock()
		defer mu.Unlock()
	})
	buf := make([]byte, 1<<20)
	for t.Context().Err() == nil && !strings.Contains(string(buf[:runtime.Stack(buf, true)]), "[sync.Mutex.Lock]") {
		runtime.Gosched()
	}
	mu.Unlock()
	wg.Wait()
}
