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

// identityTransport is a transport of net/http for one identity. There is one for each, because
// net/http tells connections apart by their address alone.
type identityTransport struct {
	identity *exchange.Identity
	base     *http.Transport
	wrapped  http.RoundTripper // base, or what was put around it

	// Under the lock of identityTransports:
	users int // requests under way
	open  int // connections
}

// identityTransports keeps the transports of identities, as many as there may be idle connections:
// the one that was unused longest makes room. It is safe for concurrent use.
type identityTransports struct {
	max int // idle connections, and transports

	mu     sync.Mutex
	byID   map[*exchange.Identity]*list.Element // of *identityTransport
	recent list.List                            // the one used last is in front
	users  int
	open   int
	closed bool
}

// transportFor returns the transport of an identity, which the caller returns by put. It returns
// nil if who is nil.
func (t *transport) transportFor(who *exchange.Identity) *identityTransport {
	if who == nil {
		return nil
	}
	cs := &t.identities
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.users++
	if e := cs.byID[who]; e != nil {
		if c, ok := e.Value.(*identityTransport); ok {
			cs.recent.MoveToFront(e)
			c.users++
			return c
		}
	}
	c := &identityTransport{identity: who, base: t.base.Clone(), users: 1}
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
	c.wrapped = c.base
	if t.cfg.RoundTripper != nil {
		c.wrapped = t.cfg.RoundTripper(c.base)
	}
	if cs.byID == nil {
		cs.byID = map[*exchange.Identity]*list.Element{}
	}
	cs.byID[who] = cs.recent.PushFront(c)
	return c
}

// count counts a connection that was opened, or closed.
func (cs *identityTransports) count(c *identityTransport, n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.open += n
	cs.open += n
}

// put takes a transport back, and closes idle connections beyond the bound.
func (cs *identityTransports) put(c *identityTransport) {
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

// surplus takes out the transports that were unused longest, until the others are within the
// bounds, and returns them. cs.mu is held.
func (cs *identityTransports) surplus() (out []*identityTransport) {
	idle := cs.open - cs.users
	for e := cs.recent.Back(); e != nil && (idle > cs.max || cs.recent.Len() > cs.max); {
		before := e.Prev()
		if c, ok := e.Value.(*identityTransport); ok && c.users == 0 {
			idle -= c.open
			cs.recent.Remove(e)
			delete(cs.byID, c.identity)
			out = append(out, c)
		}
		e = before
	}
	return slices.Clip(out)
}

// close closes the idle connections; put closes the others.
func (cs *identityTransports) close() {
	cs.mu.Lock()
	cs.closed = true
	var all []*identityTransport
	for e := cs.recent.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*identityTransport); ok {
			all = append(all, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range all {
		c.base.CloseIdleConnections()
	}
}
