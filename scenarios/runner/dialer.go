package runner

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A dialer opens the client's connections. While connections are warmed, it holds each of them back
// until every worker has one: otherwise the first ones would be free again before the last worker
// began, and fewer would be opened than the load needs.
type dialer struct {
	net     net.Dialer
	mu      sync.Mutex
	barrier *barrier // nil: nothing is held back

	noPort, noDescriptor atomic.Int64
}

// dialErrors counts connections that this side could not begin, for want of something of its own:
// such a failure is no device's.
type dialErrors struct {
	noPort       int64 // no local port was free, or no local address fits the peer's
	noDescriptor int64
}

func (d *dialer) errors() dialErrors { return dialErrors{d.noPort.Load(), d.noDescriptor.Load()} }

// count counts why a connection could not be begun.
func (d *dialer) count(err error) {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		d.noPort.Add(1)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		d.noDescriptor.Add(1)
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		d.count(err)
		return nil, err
	}
	d.mu.Lock()
	b := d.barrier
	d.mu.Unlock()
	if b != nil {
		b.wait(ctx)
	}
	return c, nil
}

// hold begins to hold back connections, until so many workers have one, or are done without.
func (d *dialer) hold(workers int) *barrier {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.barrier = &barrier{missing: workers, all: make(chan struct{})}
	return d.barrier
}

// release holds back nothing any more, whoever is missing.
func (d *dialer) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.barrier != nil {
		d.barrier.done(math.MaxInt)
		d.barrier = nil
	}
}

// A barrier has workers wait for each other, once.
type barrier struct {
	mu      sync.Mutex
	missing int
	all     chan struct{} // closed when none is missing
}

// wait waits for the others, or until ctx ends.
func (b *barrier) wait(ctx context.Context) {
	b.done(1)
	select {
	case <-b.all:
	case <-ctx.Done():
	}
}

// done is called if n workers needn't be waited for any longer. A worker that waited and is done
// counts twice; by then all have come, or dialing fails.
func (b *barrier) done(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.missing <= 0 {
		return
	}
	if b.missing -= n; b.missing <= 0 {
		close(b.all)
	}
}
