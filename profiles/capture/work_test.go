package capture_test

import (
	"sync"
	"testing"

	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
)

// workPackage begins the names of the functions below in a profile. They are called before or
// during a capture, and aren't inlined.
const workPackage = "github.com/fleetmark/fleetmark/profiles/capture_test."

//go:noinline
func allocateBefore() [][]byte { return profiletest.Allocate() }

//go:noinline
func allocateDuring() [][]byte { return profiletest.Allocate() }

// contentions is how often contendBefore and contendDuring make a goroutine wait for a lock.
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
	wait := profiletest.StartWaiter(t, func() { waitBefore(&mu) })
	mu.Unlock() // the mutex profile counts the contention here
	wait()
}

//go:noinline
func holdDuring(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	wait := profiletest.StartWaiter(t, func() { waitDuring(&mu) })
	mu.Unlock()
	wait()
}

//go:noinline
func waitBefore(mu *sync.Mutex) {
	mu.Lock() // the block profile counts the wait here
	defer mu.Unlock()
}

//go:noinline
func waitDuring(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// park starts a goroutine that waits in waitParked until unpark is called. unpark returns when the
// goroutine has ended.
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
