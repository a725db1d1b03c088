package mockfleet

import (
	"errors"
	"io"
	"net/http/httputil"
	"time"
)

// piecesPerSecond is how often a device that reads slowly does so.
const piecesPerSecond = 10

// piece is how much of p is read at a time, of most bytes at most.
func (p *push) piece(most int64) int64 {
	if p.pace == 0 {
		return most
	}
	return min(most, max(1, p.pace/piecesPerSecond))
}

// dwell waits for as long as n bytes of p may take at its pace; false is that the fleet closes. It
// doesn't look whether the client has left: it may have, having sent all.
func (c *conn) dwell(n int, p *push) bool {
	if p.pace == 0 || n == 0 {
		return true
	}
	if !c.rest(time.Duration(n) * time.Second / time.Duration(p.pace)) {
		return false
	}
	c.expire(stallLimit)
	return true
}

var errClosing = errors.New("the fleet closes")

// receivePart reads up to n bytes of a body, having asked for it; false is that it broke off. A body that
// isn't longer counts as taken.
func (c *conn) receivePart(r *request, p *push, n int64) bool {
	if n <= 0 {
		return true
	}
	if c.work.reader.Buffered() == 0 && !c.invite(r) {
		return false
	}
	s := c.takeSink()
	defer c.dropSink()
	s.sum.Reset()
	if r.length != unknownLength {
		err := c.drink(s, min(n, r.length), p)
		r.bodyTaken = p.size == r.length
		return err == nil
	}
	chunks := httputil.NewChunkedReader(c.work.reader)
	for p.size < n {
		got, err := chunks.Read(s.buffer[:min(n-p.size, sinkSize)])
		s.take(got, p)
		if errors.Is(err, io.EOF) {
			r.bodyTaken = c.skipTrailer() == nil
			return r.bodyTaken
		}
		if err != nil {
			return false
		}
	}
	return true
}
