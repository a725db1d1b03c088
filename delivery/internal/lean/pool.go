package lean

import (
	"net"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// connPool keeps connections that no operation uses: bounded over all devices
// (the one idle longest makes room), bounded per device, and by age. Each is used
// last in, first out, so that what isn't needed ages.
//
// One timer closes connections that grew too old, and is set while there are idle ones;
// close closes all of them, and waits for it.
type connPool struct {
	max, maxPerKey int
	maxAge         time.Duration

	mu             sync.Mutex
	keys           map[connKey]*stack
	spareStacks    *stack // those of devices that have no connection now
	oldest, newest *conn
	idle           int
	closed         bool
	timer          *time.Timer    // nil until a connection was idle
	timing         bool           // it is set
	expiring       sync.WaitGroup // the timer, while it is set or closes connections

	spare sync.Pool // *conn without a connection, for their buffers
}

// connKey is what connections must share to stand in for one another.
type connKey struct {
	host     string
	tls      bool
	identity *exchange.Identity // nil: the device has no credentials of its own
}

// idleLinks are what the pool knows of a connection.
type idleLinks struct {
	stack        *stack // nil until it was idle for the first time
	since        time.Time
	older, newer *conn // over all devices, by the time they became idle
	below, above *conn // over those of one device
}

// stack is what there is of one device's connections. It stays among the keys while one
// that came back before is lent, so that the usual round, out and back in, looks it up once.
type stack struct {
	key  connKey
	top  *conn
	n    int    // idle
	lent int    // out, and known here
	next *stack // of the spare ones
}

func newConnPool(limit, perKey int, maxAge time.Duration) *connPool {
	return &connPool{max: limit, maxPerKey: perKey, maxAge: maxAge, keys: make(map[connKey]*stack)}
}

// adopt makes a fresh network connection one of the pool's. It belongs to the caller.
func (p *connPool) adopt(key connKey, nc net.Conn) *conn {
	c, ok := p.spare.Get().(*conn)
	if !ok {
		c = newConn()
	}
	key.host = strings.Clone(key.host) // it was a part of the caller's Device.Address
	c.open(key, nc)
	return c
}

// get gives an idle connection, or nil if there is none.
func (p *connPool) get(key connKey, now time.Time) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, exchange.ErrClosed
	}
	var c *conn
	if s := p.keys[key]; s != nil && s.top != nil {
		c = s.top
		p.remove(c)
		s.lent++
	}
	p.mu.Unlock()
	if c != nil && now.Sub(c.idle.since) > p.maxAge {
		// It is the youngest of its device: those below are older still, and go as
		// the pool is used.
		p.discard(c)
		return nil, nil
	}
	return c, nil
}

// put takes a connection back.
func (p *connPool) put(c *conn) {
	if !c.watch.Rest() {
		p.discard(c)
		return
	}
	c.idle.since = time.Now()
	p.mu.Lock()
	if c.idle.stack != nil {
		c.idle.stack.lent--
	} else {
		c.idle.stack = p.stackOf(c.key)
	}
	if p.closed || c.idle.stack.n >= p.maxPerKey {
		p.leave(c)
		p.mu.Unlock()
		p.discard(c)
		return
	}
	p.add(c)
	var out *conn
	for p.idle > p.max || p.oldest != c && c.idle.since.Sub(p.oldest.idle.since) > p.maxAge {
		out = p.takeOldest(out)
	}
	if !p.timing && p.oldest != nil {
		p.setTimer(c.idle.since)
	}
	p.mu.Unlock()
	p.discardAll(out)
}

// setTimer sets the timer to when the connection idle longest is too old. It goes off
// once an age at most, and is set again then, so that busy connections cost nothing.
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

// takeOldest takes the connection idle longest out of the pool and links it before
// out, so that all of them are closed without the lock: the close of a TLS
// connection says so to its peer, and may have to wait for it.
func (p *connPool) takeOldest(out *conn) *conn {
	c := p.oldest
	p.remove(c)
	p.leave(c)
	c.idle.below = out
	return c
}

func (p *connPool) discardAll(out *conn) {
	for out != nil {
		c := out
		out, c.idle.below = c.idle.below, nil
		p.discard(c)
	}
}

// discard closes a connection that belongs to the caller.
func (p *connPool) discard(c *conn) {
	if c.idle.stack != nil {
		p.mu.Lock()
		c.idle.stack.lent--
		p.leave(c)
		p.mu.Unlock()
	}
	if c.shut() {
		p.spare.Put(c)
	}
}

// stackOf gives a device's stack, a spare one where it has none.
func (p *connPool) stackOf(key connKey) *stack {
	s := p.keys[key]
	if s != nil {
		return s
	}
	if s = p.spareStacks; s != nil {
		p.spareStacks, s.next = s.next, nil
	} else {
		s = &stack{}
	}
	s.key = key
	p.keys[key] = s
	return s
}

// leave parts a connection that is neither idle nor lent from its device's stack.
func (p *connPool) leave(c *conn) {
	s := c.idle.stack
	c.idle.stack = nil
	if s.n == 0 && s.lent == 0 {
		delete(p.keys, s.key)
		*s = stack{next: p.spareStacks}
		p.spareStacks = s
	}
}

func (p *connPool) add(c *conn) {
	s := c.idle.stack
	c.idle.below = s.top
	if s.top != nil {
		s.top.idle.above = c
	}
	s.top = c
	s.n++

	c.idle.older = p.newest
	if p.newest != nil {
		p.newest.idle.newer = c
	} else {
		p.oldest = c
	}
	p.newest = c
	p.idle++
}

func (p *connPool) remove(c *conn) {
	s := c.idle.stack
	s.n--
	if c.idle.above != nil {
		c.idle.above.idle.below = c.idle.below
	} else {
		s.top = c.idle.below
	}
	if c.idle.below != nil {
		c.idle.below.idle.above = c.idle.above
	}

	if c.idle.newer != nil {
		c.idle.newer.idle.older = c.idle.older
	} else {
		p.newest = c.idle.older
	}
	if c.idle.older != nil {
		c.idle.older.idle.newer = c.idle.newer
	} else {
		p.oldest = c.idle.newer
	}
	c.idle.older, c.idle.newer, c.idle.above, c.idle.below = nil, nil, nil, nil
	p.idle--
}
