package abtest

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// An Injection says how a client is made worse, to test whether the gate notices it. It wraps the
// client, inside what is measured.
type Injection struct {
	Processor   time.Duration `json:"processor,omitempty"`   // busy time that is added to each push
	Allocations int           `json:"allocations,omitempty"` // more heap objects of 64 bytes for each push
	Requests    int           `json:"requests,omitempty"`    // requests to the device that precede each push
	CPUProfile  bool          `json:"cpu_profile,omitempty"` // whether the process takes a CPU profile, at 100 Hz
}

// A calibrated is an Injection whose processor time was converted to steps of [spin] on this
// processor.
type calibrated struct {
	Injection
	steps int
}

// calibrate measures how fast this processor is.
func (i Injection) calibrate() calibrated {
	if i.Processor <= 0 {
		return calibrated{Injection: i}
	}
	const steps, tries = 1 << 20, 5 // each try takes about a millisecond
	fastest := time.Duration(math.MaxInt64)
	for range tries {
		began := time.Now()
		runtime.KeepAlive(spin(steps))
		fastest = min(fastest, time.Since(began)) // slower tries were disturbed
	}
	return calibrated{i, int(math.Round(float64(i.Processor) / float64(fastest) * steps))}
}

// spin keeps a processor busy. It uses no memory, since other programs may take its caches, and
// doesn't read the clock, which takes 50 ns: a tenth of 2% of a push. It isn't inlined, so that the
// compiler doesn't remove it because nothing uses the result.
//
//go:noinline
func spin(steps int) uint64 {
	x := uint64(1)
	for range steps {
		x = x*6364136223846793005 + 1442695040888963407 // each step depends on the last one
	}
	return x
}

// wrap returns the client with the injection around it. It returns the client itself if nothing is
// injected.
func (c calibrated) wrap(client load.Client) load.Client {
	if c == (calibrated{}) {
		return client
	}
	return &degradedClient{Client: client, injected: c}
}

// A degradedClient is a client that is made worse by an Injection.
type degradedClient struct {
	load.Client
	injected calibrated
	sink     atomic.Pointer[[64]byte] // keeps allocations on the heap
}

// Push degrades the client and then pushes.
func (c *degradedClient) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	c.degrade(ctx, d, u)
	return c.Client.Push(ctx, d, u)
}

// Deliver degrades the client and then delivers.
func (c *degradedClient) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	began := time.Now()
	c.degrade(ctx, d, u)
	more := time.Since(began)
	report, err := c.Client.Deliver(ctx, d, u)
	report.Push += more
	return report, err
}

func (c *degradedClient) degrade(ctx context.Context, d delivery.Device, u *delivery.Update) {
	for range c.injected.Allocations {
		c.sink.Store(new([64]byte))
	}
	for range c.injected.Requests {
		_ = c.Client.Verify(ctx, d, u) // only the request matters, not its result
	}
	if c.injected.steps > 0 {
		runtime.KeepAlive(spin(c.injected.steps))
	}
}
