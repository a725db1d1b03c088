package runner

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// Plant is what a client is made worse by, to see whether that is noticed. It stands around the
// client, in what is measured of it.
type Plant struct {
	Processor   time.Duration `json:"processor,omitempty"`   // spent more in each push, busy
	Allocations int           `json:"allocations,omitempty"` // more heap objects in each push, of 64 bytes
	Requests    int           `json:"requests,omitempty"`    // more requests to the device before each push
	CPUProfile  bool          `json:"cpu_profile,omitempty"` // is taken of the process, at 100 Hz
}

// plantedWork is a Plant whose processor time has been turned into work that takes so long.
type plantedWork struct {
	Plant
	steps int
}

// ready measures how fast this processor works.
func (p Plant) ready() plantedWork {
	if p.Processor <= 0 {
		return plantedWork{Plant: p}
	}
	const steps, tries = 1 << 20, 5 // a millisecond or so each
	fastest := time.Duration(math.MaxInt64)
	for range tries {
		began := time.Now()
		runtime.KeepAlive(work(steps))
		fastest = min(fastest, time.Since(began)) // the others were disturbed
	}
	return plantedWork{p, int(math.Round(float64(p.Processor) / float64(fastest) * steps))}
}

// work keeps a processor busy without memory, of which other programs may take the caches, and
// without a clock, which takes 50 ns to look at: of a push's 2% that would be a tenth. It isn't inlined,
// so that the compiler doesn't see that nobody wants the answer.
//
//go:noinline
func work(steps int) uint64 {
	x := uint64(1)
	for range steps {
		x = x*6364136223846793005 + 1442695040888963407 // each step waits for the last one
	}
	return x
}

// worsened is a client that is worse.
type worsened struct {
	client
	plant plantedWork
	kept  atomic.Pointer[[64]byte] // so that what is allocated is
}

func (p plantedWork) around(c client) client {
	if p == (plantedWork{}) {
		return c
	}
	return &worsened{client: c, plant: p}
}

func (p *worsened) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	p.worsen(ctx, d, u)
	return p.client.Push(ctx, d, u)
}

func (p *worsened) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	began := time.Now()
	p.worsen(ctx, d, u)
	more := time.Since(began)
	report, err := p.client.Deliver(ctx, d, u)
	report.Push += more
	return report, err
}

func (p *worsened) worsen(ctx context.Context, d delivery.Device, u *delivery.Update) {
	for range p.plant.Allocations {
		p.kept.Store(new([64]byte))
	}
	for range p.plant.Requests {
		_ = p.client.Verify(ctx, d, u) // the request counts, not what comes of it
	}
	if p.plant.steps > 0 {
		runtime.KeepAlive(work(p.plant.steps))
	}
}
