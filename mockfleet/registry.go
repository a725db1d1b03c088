package mockfleet

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// registry holds the open connections, so that they can be counted, bounded, expired and closed.
type registry struct {
	mu      sync.Mutex
	first   *conn
	open    int
	limit   int
	total   uint64
	refused uint64
	noRoom  uint64 // of those, the ones for want of room
	closed  bool
	lot     *lot    // where idle connections are parked; nil is nowhere
	parked  []*conn // by descriptor
}

// add takes c in unless the fleet is closed or has as many connections as it may.
func (r *registry) add(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if r.closed || r.open == r.limit {
		r.refused++
		if !r.closed {
			r.noRoom++
		}
		return false
	}
	r.open++
	c.next = r.first
	if r.first != nil {
		r.first.previous = c
	}
	r.first = c
	return true
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlink(c)
}

func (r *registry) unlink(c *conn) {
	r.open--
	if c.previous != nil {
		c.previous.next = c.next
	} else {
		r.first = c.next
	}
	if c.next != nil {
		c.next.previous = c.previous
	}
}

// refuse counts a connection that was closed because it is none for this fleet.
func (r *registry) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	r.refused++
}

// expire closes the connections whose deadline is before now, in nanoseconds since the fleet's start, and has
// those parked that have been idle for a while.
func (r *registry) expire(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := r.first; c != nil; {
		next := c.next
		if at := c.deadline.Load(); at != 0 && at < now {
			r.close(c)
		} else if !c.isParked {
			r.nudge(c, now)
		}
		c = next
	}
}

// close closes c, whose goroutine sees that and takes it out. Where it has none, this does.
func (r *registry) close(c *conn) {
	_ = c.Close() // nobody else would see how that went
	if !c.isParked {
		return
	}
	r.forget(c)
	r.unlink(c)
	if c.held {
		c.fleet.store.Disconnect(c.device)
	}
}

// closeAll closes every connection and lets no further one in.
func (r *registry) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c := r.first; c != nil; {
		next := c.next
		r.close(c)
		c = next
	}
}

func (r *registry) counts() (open int, total, refused, noRoom uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.total, r.refused, r.noRoom
}

// A kept-alive connection that has been idle for a while is parked: its goroutine ends, and with it the 4 KiB
// of stack that one request makes it grow to; when something comes, it gets another. Where there is no way to
// wait for many connections at once, each keeps its goroutine.

// parkAfter is how long a connection is idle before it is parked, by the grain of the housekeeper's clock. A
// client that goes on sooner finds a goroutine that waits for it.
const parkAfter = time.Second

// What a connection's goroutine does, so that the housekeeper breaks off its wait and nothing else.
const (
	busy    int32 = iota
	waiting       // for the first byte of a request
	nudged        // likewise, and it was told to stop waiting
)

// waitAsIdle waits for a request until there is something of it; park is that it is to be parked meanwhile.
func (c *conn) waitAsIdle() (park bool, err error) {
	c.doing.Store(waiting)
	err = c.ready.Read(c.arrived)
	if c.doing.Swap(busy) != nudged {
		return false, err
	}
	c.fleet.registry.settled()
	if clearErr := c.SetReadDeadline(time.Time{}); clearErr != nil {
		return false, clearErr
	}
	return c.work == nil && errors.Is(err, os.ErrDeadlineExceeded), err
}

// settled returns when nobody is in the middle of changing connections.
func (r *registry) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
}

// nudge tells c to stop waiting if it has been idle for a while, now being in nanoseconds since the fleet's
// start. r is locked.
func (r *registry) nudge(c *conn, now int64) {
	at := c.deadline.Load()
	idle := at-now > int64(stallLimit) // any other deadline is nearer
	if idle && now-(at-int64(idleLimit)) > int64(parkAfter) && r.lot != nil && c.doing.CompareAndSwap(waiting, nudged) {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // it fails where the connection has ended
	}
}

// park takes c's goroutine from it; false is that it can't be had.
func (r *registry) park(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.lot == nil {
		return false
	}
	var fd int
	if c.ready.Control(func(own uintptr) { fd = int(own) }) != nil || !r.lot.watch(fd) {
		return false
	}
	for len(r.parked) <= fd {
		r.parked = append(r.parked, nil)
	}
	r.parked[fd] = c
	c.place = fd
	c.isParked = true
	return true
}

// unpark gives the connections that something has come for, of the descriptors in list.
func (r *registry) unpark(list []int32) (come []*conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range list {
		// A descriptor that was closed meanwhile may be another connection's by now: that one finds
		// nothing to read, and waits.
		if int(fd) < len(r.parked) && r.parked[fd] != nil {
			c := r.parked[fd]
			r.forget(c)
			come = append(come, c)
		}
	}
	return come
}

// forget takes c off the lot. r is locked.
func (r *registry) forget(c *conn) {
	r.parked[c.place] = nil
	c.isParked = false
}

// attendParked gives connections that something has come for a goroutine, until the fleet closes.
func (f *Fleet) attendParked() {
	var list [parkedAtOnce]int32
	for {
		n, err := f.registry.lot.await(list[:])
		if err != nil {
			return
		}
		for _, c := range f.registry.unpark(list[:n]) {
			f.running.Go(c.resume)
		}
	}
}

const parkedAtOnce = 128

// How a request arrives. A connection waits in one long wait of Go's poller, of which tryArrive is the part that
// is called whenever something may have come. Within one wait, whatever comes is told once at least. So a
// small request is read, answered and done with inside of it, and the next one costs no look that finds nothing, as it does
// where each request is awaited anew: one system call in four.

// await waits until there is something of a request that is not answered within the wait, and has a workspace
// then. It may tell instead that the connection is to be parked.
func (c *conn) await() (ready, park bool) {
	if c.work != nil {
		return true, false
	}
	c.expire(idleLimit)
	c.readErr = nil
	if c.ready != nil {
		park, err := c.waitAsIdle()
		return err == nil && c.work != nil && c.readErr == nil, park
	}
	c.takeWorkspace()
	_, err := c.work.reader.Peek(1)
	return err == nil, false
}

// tryArrive is called when the connection may have something to read: it reads into a workspace, and gives that
// back if there was nothing yet, or nothing more. False is that it waits on.
func (c *conn) tryArrive(fd uintptr) bool {
	if c.work == nil {
		c.takeWorkspace()
	}
	for {
		c.fd = fd
		_, err := c.work.reader.Peek(1)
		c.fd = 0
		if errors.Is(err, errNothingYet) {
			c.dropWorkspace()
			return false
		}
		if err != nil || !c.answerWithin() {
			return true
		}
		c.served++
		if c.work.reader.Buffered() > 0 {
			continue
		}
		c.expire(idleLimit)
		if !c.filled {
			c.dropWorkspace()
			return false
		}
	}
}

var errNothingYet = errors.New("nothing to read yet")

// answerWithin answers the request in the buffer if that takes no wait for the client: if it is here whole, and
// nothing else but its answer is wanted. False is that it is left to answerNext, or that the connection ends.
func (c *conn) answerWithin() bool {
	w := c.work
	buffered, err := w.reader.Peek(w.reader.Buffered())
	if err != nil || !bytes.Contains(buffered, endOfHead) {
		return false
	}
	if c.readHead(); c.headErr != nil {
		return false
	}
	r := &w.request
	if c.eventful() || !r.BodyRead && (r.Length == fault.UnknownLength || r.Length > int64(w.reader.Buffered())) {
		return false
	}
	c.headRead = false
	c.inside = true
	goesOn := c.respond(r)
	c.inside = false
	if !goesOn {
		c.readErr = errAnswered
	}
	return goesOn
}

var (
	endOfHead   = []byte("\r\n\r\n")
	errAnswered = errors.New("the last answer ended the connection")
)
