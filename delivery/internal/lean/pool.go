package lean

import (
	"net"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// connPool keeps idle connections. Their number is bounded, over all devices (the one that was idle
// longest makes room) and for each, and so is their age. The connections of a device are used last
// in, first out, so that those which aren't needed grow old.
//
// One timer closes connections that are too old. It is set while there are idle ones. close closes
// all of them, and waits for the timer.
type connPool struct {
	maxIdle, maxIdlePerKey int
	maxAge                 time.Duration

	mu             sync.Mutex
	keys           map[connKey]*idleStack
	freeStacks     *idleStack // without a device
	oldest, newest *conn
	idle           int
	closed         bool
	timer          *time.Timer    // nil until the first connection is idle
	timing         bool           // the timer is set
	expiring       sync.WaitGroup // holds the timer while it is set or closes connections

	freeConns sync.Pool // of *conn without a connection, for their buffers
}

// connKey is what two connections must have in common if a request may use either.
type connKey struct {
	host     string
	tls      bool
	identity *exchange.Identity // nil: the device has no credentials of its own
}

// idleLinks are the pool's fields of a connection.
type idleLinks struct {
	stack            *idleStack // nil until the connection is idle for the first time
	since            time.Time
	lruPrev, lruNext *conn // in the list over all devices, ordered by since
	prev, next       *conn // in the stack
}

// idleStack holds the idle connections of one key. It stays in the map while a connection that was
// in it is in use, so that its way out and back takes one lookup.
type idleStack struct {
	key   connKey
	head  *conn
	n     int        // length
	inUse int        // connections that were in the stack, and are in use
	next  *idleStack // of freeStacks
}

func newConnPool(limit, perKey int, maxAge time.Duration) *connPool {
	return &connPool{maxIdle: limit, maxIdlePerKey: perKey, maxAge: maxAge, keys: make(map[connKey]*idleStack)}
}

// wrap returns the conn of a new network connection. It belongs to the caller, until put or
// discard.
func (p *connPool) wrap(key connKey, nc net.Conn) *conn {
	c, ok := p.freeConns.Get().(*conn)
	if !ok {
		c = newConn()
	}
	key.host = strings.Clone(key.host) // it is a part of the caller's Device.Address
	c.open(key, nc)
	return c
}

// get returns an idle connection, which belongs to the caller then. It returns nil if there is
// none.
func (p *connPool) get(key connKey, now time.Time) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, exchange.ErrClosed
	}
	var c *conn
	if s := p.keys[key]; s != nil && s.head != nil {
		c = s.head
		p.remove(c)
		s.inUse++
		c.reused = true
	}
	p.mu.Unlock()
	if c != nil && now.Sub(c.idle.since) > p.maxAge {
		// The others of its stack were idle for longer. They are closed as the pool is used.
		p.discard(c)
		return nil, nil
	}
	return c, nil
}

// put makes a connection of the caller idle.
func (p *connPool) put(c *conn) {
	if !c.watch.Rest() {
		p.discard(c)
		return
	}
	c.idle.since = time.Now()
	p.mu.Lock()
	if c.idle.stack != nil {
		c.idle.stack.inUse--
	} else {
		c.idle.stack = p.stackFor(c.key)
	}
	if p.closed || c.idle.stack.n >= p.maxIdlePerKey {
		p.detach(c)
		p.mu.Unlock()
		p.discard(c)
		return
	}
	p.add(c)
	var out *conn
	for p.idle > p.maxIdle || p.oldest != c && c.idle.since.Sub(p.oldest.idle.since) > p.maxAge {
		out = p.takeOldest(out)
	}
	if !p.timing && p.oldest != nil {
		p.setTimer(c.idle.since)
	}
	p.mu.Unlock()
	p.discardAll(out)
}

// setTimer sets the timer to when the connection that was idle longest is too old. The timer is not
// moved meanwhile, so that connections in use cost nothing.
func (p *connPool) setTimer(now time.Time) {
	p.timing = true
	p.expiring.Add(1)
	d := max(p.maxAge-now.Sub(p.oldest.idle.since), p.maxAge/8, time.Millisecond)
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.expire)
	} else {
		p.timer.Reset(d)
	}
}

// expire closes the connections that are too old.
func (p *connPool) expire() {
	defer p.expiring.Done()
	p.mu.Lock()
	now := time.Now()
	var out *conn
	for p.oldest != nil && now.Sub(p.oldest.idle.since) >= p.maxAge {
		out = p.takeOldest(out)
	}
	p.timing = false
	if p.oldest != nil {
		p.setTimer(now)
	}
	p.mu.Unlock()
	p.discardAll(out)
}

func (p *connPool) close() {
	defer p.expiring.Wait()
	p.mu.Lock()
	p.closed = true
	if p.timing && p.timer.Stop() {
		p.timing = false
		p.expiring.Done()
	}
	var out *conn
	for p.oldest != nil {
		out = p.takeOldest(out)
	}
	p.mu.Unlock()
	p.discardAll(out)
}

// takeOldest takes the connection that was idle longest out of the pool and puts it in front of the
// list out, whose connections are closed without the lock: to close a TLS connection is to write to
// its peer, which may take a while.
func (p *connPool) takeOldest(out *conn) *conn {
	c := p.oldest
	p.remove(c)
	p.detach(c)
	c.idle.prev = out
	return c
}

func (p *connPool) discardAll(out *conn) {
	for out != nil {
		c := out
		out, c.idle.prev = c.idle.prev, nil
		p.discard(c)
	}
}

// discard closes a connection of the caller.
func (p *connPool) discard(c *conn) {
	if c.idle.stack != nil {
		p.mu.Lock()
		c.idle.stack.inUse--
		p.detach(c)
		p.mu.Unlock()
	}
	if c.close() {
		p.freeConns.Put(c)
	}
}

// stackFor returns the stack of a key, a new one if it has none.
func (p *connPool) stackFor(key connKey) *idleStack {
	s := p.keys[key]
	if s != nil {
		return s
	}
	if s = p.freeStacks; s != nil {
		p.freeStacks, s.next = s.next, nil
	} else {
		s = &idleStack{}
	}
	s.key = key
	p.keys[key] = s
	return s
}

// detach parts a connection, which is neither idle nor in use, from its stack.
func (p *connPool) detach(c *conn) {
	s := c.idle.stack
	c.idle.stack = nil
	if s.n == 0 && s.inUse == 0 {
		delete(p.keys, s.key)
		*s = idleStack{next: p.freeStacks}
		p.freeStacks = s
	}
}

func (p *connPool) add(c *conn) {
	s := c.idle.stack
	c.idle.prev = s.head
	if s.head != nil {
		s.head.idle.next = c
	}
	s.head = c
	s.n++

	c.idle.lruPrev = p.newest
	if p.newest != nil {
		p.newest.idle.lruNext = c
	} else {
		p.oldest = c
	}
	p.newest = c
	p.idle++
}

func (p *connPool) remove(c *conn) {
	s := c.idle.stack
	s.n--
	if c.idle.next != nil {
		c.idle.next.idle.prev = c.idle.prev
	} else {
		s.head = c.idle.prev
	}
	if c.idle.prev != nil {
		c.idle.prev.idle.next = c.idle.next
	}

	if c.idle.lruNext != nil {
		c.idle.lruNext.idle.lruPrev = c.idle.lruPrev
	} else {
		p.newest = c.idle.lruPrev
	}
	if c.idle.lruPrev != nil {
		c.idle.lruPrev.idle.lruNext = c.idle.lruNext
	} else {
		p.oldest = c.idle.lruNext
	}
	c.idle.lruPrev, c.idle.lruNext, c.idle.next, c.idle.prev = nil, nil, nil, nil
	p.idle--
}
