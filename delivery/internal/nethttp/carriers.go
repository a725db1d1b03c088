package nethttp

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// carrier is a net/http transport of one identity: net/http tells its connections apart
// by address alone.
type carrier struct {
	of    *exchange.Identity
	base  *http.Transport
	round http.RoundTripper // base, or what was put around it

	// Under the lock of carriers:
	users int // requests under way
	open  int // connections
}

// carriers keeps the transports of identities: as many as there may be idle connections,
// the one unused longest making room. It is safe for concurrent use.
type carriers struct {
	most int // idle connections, and carriers

	mu     sync.Mutex
	byID   map[*exchange.Identity]*list.Element // of *carrier
	recent list.List                            // the one used last is in front
	users  int
	open   int
	closed bool
}

// carry returns the transport for a device's credentials, which the caller gives back by
// put. It returns nil for a device that has none of its own.
func (t *transport) carry(who *exchange.Identity) *carrier {
	if who == nil {
		return nil
	}
	cs := &t.carriers
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.users++
	if e := cs.byID[who]; e != nil {
		if c, ok := e.Value.(*carrier); ok {
			cs.recent.MoveToFront(e)
			c.users++
			return c
		}
	}
	c := &carrier{of: who, base: t.base.Clone(), users: 1}
	c.base.TLSClientConfig = t.countSessions(who.TLS)
	c.base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := t.dial(ctx, network, address)
		if conn, ok := nc.(*answerConn); err == nil && ok {
			conn.counted.onClose = sync.OnceFunc(func() { cs.count(c, -1) })
			cs.count(c, 1)
		}
		return nc, err
	}
	c.base.DialTLSContext = t.dialTLS(c.base)
	c.round = c.base
	if t.cfg.RoundTripper != nil {
		c.round = t.cfg.RoundTripper(c.base)
	}
	if cs.byID == nil {
		cs.byID = map[*exchange.Identity]*list.Element{}
	}
	cs.byID[who] = cs.recent.PushFront(c)
	return c
}

// count counts a connection that was opened, or closed.
func (cs *carriers) count(c *carrier, n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.open += n
	cs.open += n
}

// put gives a carrier back, and closes idle connections beyond the bound.
func (cs *carriers) put(c *carrier) {
	if c == nil {
		return
	}
	cs.mu.Lock()
	c.users--
	cs.users--
	out := cs.surplus()
	if cs.closed {
		out = append(out, c)
	}
	cs.mu.Unlock()
	for _, c := range out { // without the lock: a close is counted
		c.base.CloseIdleConnections()
	}
}

// surplus takes out the carriers that were unused longest, until what is left is within
// bounds. cs.mu is held.
func (cs *carriers) surplus() (out []*carrier) {
	idle := cs.open - cs.users
	for e := cs.recent.Back(); e != nil && (idle > cs.most || cs.recent.Len() > cs.most); {
		before := e.Prev()
		if c, ok := e.Value.(*carrier); ok && c.users == 0 {
			idle -= c.open
			cs.recent.Remove(e)
			delete(cs.byID, c.of)
			out = append(out, c)
		}
		e = before
	}
	return slices.Clip(out)
}

// close closes the idle connections; those in use are closed as they are given back.
func (cs *carriers) close() {
	cs.mu.Lock()
	cs.closed = true
	var all []*carrier
	for e := cs.recent.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*carrier); ok {
			all = append(all, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range all {
		c.base.CloseIdleConnections()
	}
}
