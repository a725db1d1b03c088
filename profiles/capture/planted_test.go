package capture_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Work whose place in a profile is known. None of it is inlined, so that each has
// its own name in the stacks.

const planted = "github.com/fleetmark/fleetmark/profiles/capture_test."

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
func allocateBefore() [][]byte {
	blocks := make([][]byte, 0, blockCount)
	for range blockCount {
		blocks = append(blocks, make([]byte, blockBytes))
	}
	return blocks
}

//go:noinline
func allocateDuring() [][]byte {
	blocks := make([][]byte, 0, blockCount)
	for range blockCount {
		blocks = append(blocks, make([]byte, blockBytes))
	}
	return blocks
}

// contentions is how often contendBefore and contendDuring have a goroutine wait for a lock.
const contentions = 3

func contendBefore(t *testing.T) {
	for range contentions {
		holdBefore(t)
	}
}

func contendDuring(t *testing.T) {
	for range contentions {
		holdDuring(t)
	}
}

//go:noinline
func holdBefore(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	wait := startWaiter(t, "waitBefore", func() { waitBefore(&mu) })
	mu.Unlock() // here the mutex profile sees it
	wait()
}

//go:noinline
func holdDuring(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	wait := startWaiter(t, "waitDuring", func() { waitDuring(&mu) })
	mu.Unlock()
	wait()
}

//go:noinline
func waitBefore(mu *sync.Mutex) {
	mu.Lock() // here the block profile sees it
	defer mu.Unlock()
}

//go:noinline
func waitDuring(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// startWaiter runs lock in a goroutine and returns once the scheduler says that the named
// function waits for a mutex there.
func startWaiter(t *testing.T, function string, lock func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(lock)
	buf := make([]byte, 1<<20)
	for t.Context().Err() == nil {
		stacks := string(buf[:runtime.Stack(buf, true)])
		for stack := range strings.SplitSeq(stacks, "\n\n") {
			if strings.Contains(stack, "[sync.Mutex.Lock]") && strings.Contains(stack, planted+function+"(") {
				return wg.Wait
			}
		}
		runtime.Gosched()
	}
	return wg.Wait
}

// park starts a goroutine that waits in waitParked until the answered function is
// called, which returns when it has ended.
func park(t *testing.T) (unpark func()) {
	t.Helper()
	gate := make(chan struct{})
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { waitParked(started, gate) })
	<-started
	unpark = sync.OnceFunc(func() {
		close(gate)
		wg.Wait()
	})
	t.Cleanup(unpark)
	return unpark
}

//go:noinline
func waitParked(started, gate chan struct{}) {
	close(started)
	<-gate
}
