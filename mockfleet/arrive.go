package mockfleet

import (
	"bytes"
	"errors"
)

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
	if c.eventful() || !r.bodyTaken && (r.length == unknownLength || r.length > int64(w.reader.Buffered())) {
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
