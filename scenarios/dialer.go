package scenarios

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// dialer opens the client's connections. While connections are primed it holds each
// back until every worker has one of its own: else the first ones would be free
// again before the last worker began, and fewer be opened than the load needs.
type dialer struct {
	net     net.Dialer
	mu      sync.Mutex
	meeting *meeting

	noPort, noDescriptor atomic.Int64
}

// refusals are connections that this side could not begin, for want of something of
// its own: such a failure is no device's.
type refusals struct {
	noPort       int64 // no local port was free, or no local address fits the peer's
	noDescriptor int64
}

func (d *dialer) refused() refusals { return refusals{d.noPort.Load(), d.noDescriptor.Load()} }

// count takes note of why a connection could not be begun.
func (d *dialer) count(err error) {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		d.noPort.Add(1)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		d.noDescriptor.Add(1)
	}
}

// meeting is workers that wait for each other, once.
type meeting struct {
	mu      sync.Mutex
	missing int
	all     chan struct{} // closed when none is missing
}

// meet begins a meeting: as many connections are opened as there are workers, but
// for those that leave, before the first of them is used.
func (d *dialer) meet(workers int) *meeting {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.meeting = &meeting{missing: workers, all: make(chan struct{})}
	return d.meeting
}

// part ends a meeting, whoever is missing.
func (d *dialer) part() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.meeting != nil {
		d.meeting.leave(math.MaxInt)
		d.meeting = nil
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		d.count(err)
		return nil, err
	}
	d.mu.Lock()
	m := d.meeting
	d.mu.Unlock()
	if m != nil {
		m.arrive(ctx)
	}
	return c, nil
}

// arrive waits for the others, as long as the context lets it.
func (m *meeting) arrive(ctx context.Context) {
	m.leave(1)
	select {
	case <-m.all:
	case <-ctx.Done():
	}
}

// leave is for n that needn't be waited for any longer. A worker that dialed and then
// leaves counts twice; by then all have come, or dialing fails.
func (m *meeting) leave(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.missing <= 0 {
		return
	}
	if m.missing -= n; m.missing <= 0 {
		close(m.all)
	}
}
