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
// until every worker has one. Otherwise the first connections would be idle again before the last
// worker asks for one; that worker would reuse one of them, and too few connections would be open
// for the load.
type dialer struct {
	net     net.Dialer
	mu      sync.Mutex
	barrier *barrier // nil if connections aren't held back

	noPort, noDescriptor atomic.Int64
}

// dialErrors counts connections that could not be opened because this machine lacked a resource.
// They say nothing about a device.
type dialErrors struct {
	noPort       int64 // no local port was free, or no local address fits the peer's
	noDescriptor int64 // no file descriptor was free
}

func (d *dialer) errors() dialErrors { return dialErrors{d.noPort.Load(), d.noDescriptor.Load()} }

// count counts an error of dialing if its cause is that this machine lacked a port or a descriptor.
func (d *dialer) count(err error) {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		d.noPort.Add(1)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		d.noDescriptor.Add(1)
	}
}

// dial opens a connection. It is the Dial of the client's configuration.
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

// hold makes dial hold connections back until each of so many workers has one, or has called done
// on the returned barrier.
func (d *dialer) hold(workers int) *barrier {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.barrier = &barrier{missing: workers, all: make(chan struct{})}
	return d.barrier
}

// release ends the hold, even if some workers have no connection yet.
func (d *dialer) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.barrier != nil {
		d.barrier.done(math.MaxInt)
		d.barrier = nil
	}
}

// A barrier makes workers wait for each other, once.
type barrier struct {
	mu      sync.Mutex
	missing int           // workers that have called neither wait nor done
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

// done tells the barrier not to wait for n workers. A worker may also call it after wait, which has
// no effect: its wait ended because all had come, or because its context ended.
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
