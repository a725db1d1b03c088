package scenarios

import (
	"context"
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
}

// worsened is a client that is worse.
type worsened struct {
	client
	plant Plant
	kept  atomic.Pointer[[64]byte] // so that what is allocated is
}

func (p Plant) around(c client) client {
	if p == (Plant{}) {
		return c
	}
	return &worsened{client: c, plant: p}
}

func (p *worsened) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	p.worsen(ctx, d, u)
	return p.client.Push(ctx, d, u)
}

func (p *worsened) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	more := p.worsen(ctx, d, u)
	report, err := p.client.Deliver(ctx, d, u)
	report.Push += more
	return report, err
}

// worsen takes as long as it says.
func (p *worsened) worsen(ctx context.Context, d delivery.Device, u *delivery.Update) time.Duration {
	began := time.Now()
	for range p.plant.Allocations {
		p.kept.Store(new([64]byte))
	}
	for range p.plant.Requests {
		_ = p.client.Verify(ctx, d, u) // the request counts, not what comes of it
	}
	for time.Since(began) < p.plant.Processor {
	}
	return time.Since(began)
}
