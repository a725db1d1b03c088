package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http/httputil"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

const (
	BodyBufferSize = 64 << 10 // bytes read at a time from a large body
	discardLimit   = 64 << 10 // bytes of an unwanted body read to keep the connection
	lingerLimit    = 16 << 20 // bytes of an unwanted body read to let the client see the answer
	lingerTime     = 5 * time.Second
)

// bodyBuffer is where a large body goes: hashed piece by piece, so that an artifact of any size takes the
// same memory.
type bodyBuffer struct {
	sum    hash.Hash
	buffer [BodyBufferSize]byte
}

func newBodyBuffer() *bodyBuffer { return &bodyBuffer{sum: sha256.New()} }

func (c *conn) getBodyBuffer() *bodyBuffer {
	if c.buf.bodyBuffer == nil {
		c.buf.bodyBuffer = c.srv.bodyBufferPool.Get().(*bodyBuffer)
	}
	return c.buf.bodyBuffer
}

func (c *conn) putBodyBuffer() {
	if c.buf.bodyBuffer != nil {
		c.srv.bodyBufferPool.Put(c.buf.bodyBuffer)
		c.buf.bodyBuffer = nil
	}
}

// receive reads a body to its end, counting and hashing it into p. It fails where the body breaks off.
func (c *conn) receive(r *request, p *upload) error {
	s := c.getBodyBuffer()
	defer c.putBodyBuffer()
	s.sum.Reset()
	var err error
	if r.Length == fault.UnknownLength {
		err = c.receiveChunked(s, p)
	} else {
		err = c.readBody(s, r.Length, p)
	}
	if err != nil {
		return err
	}
	r.BodyRead = true
	s.sum.Sum(p.Digest[:0])
	return nil
}

func (c *conn) receiveChunked(s *bodyBuffer, p *upload) error {
	chunks := httputil.NewChunkedReader(c.buf.reader)
	for {
		n, err := chunks.Read(s.buffer[:p.readSize(BodyBufferSize)])
		s.take(n, p)
		if !c.throttle(n, p) {
			return errClosing
		}
		if errors.Is(err, io.EOF) {
			return c.skipTrailer()
		}
		if err != nil {
			return fmt.Errorf("chunked body: %w", err)
		}
	}
}

// skipTrailer reads the fields that may follow the last chunk, to the empty line (RFC 9112 §7.1.2).
func (c *conn) skipTrailer() error {
	for left := HeaderLimit; left > 0; {
		line, err := c.buf.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("trailer: %w", err)
		}
		if len(line) <= len("\r\n") && len(bytes.TrimRight(line, "\r\n")) == 0 {
			return nil
		}
		left -= len(line)
	}
	return fmt.Errorf("trailer: larger than %d bytes", HeaderLimit)
}

// take hashes the first n bytes of the buffer.
func (s *bodyBuffer) take(n int, p *upload) {
	if at := p.flipByte - 1 - p.Size; p.flipByte > 0 && at >= 0 && at < int64(n) {
		s.buffer[at] ^= 1
	}
	s.sum.Write(s.buffer[:n])
	p.Size += int64(n)
}

// readBody hashes exactly n bytes of the connection.
func (c *conn) readBody(s *bodyBuffer, n int64, p *upload) error {
	for n > 0 {
		got, err := c.buf.reader.Read(s.buffer[:min(n, p.readSize(BodyBufferSize))])
		s.take(got, p)
		n -= int64(got)
		if err != nil && n > 0 {
			return fmt.Errorf("body: %w", err)
		}
		if !c.throttle(got, p) {
			return errClosing
		}
	}
	return nil
}

// discardBody reads and drops an unwanted body if that is cheap. It reports whether it did; if not, the
// connection must end with the answer.
func (c *conn) discardBody(r *request) bool {
	if r.BodyRead {
		return true
	}
	// A client that waits for a 100 may never send the body, so its end can't be waited for.
	if r.Length == fault.UnknownLength || r.Length > discardLimit || r.Expect != fault.ExpectNothing {
		return false
	}
	if _, err := c.buf.reader.Discard(int(r.Length)); err != nil {
		return false
	}
	r.BodyRead = true
	return true
}

// linger half-closes the connection and reads on for a while. To close it with unread data would
// reset it, and a reset can overtake the answer on its way to the client (RFC 9112 §9.6).
func (c *conn) linger() {
	half, ok := c.appConn().(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	s := c.getBodyBuffer()
	for left := lingerLimit; left > 0; {
		n, err := c.buf.reader.Read(s.buffer[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// piecesPerSecond is how often a device that reads slowly does so.
const piecesPerSecond = 10

// readSize is how much of p is read at a time, of most bytes at most.
func (p *upload) readSize(most int64) int64 {
	if p.bandwidth == 0 {
		return most
	}
	return min(most, max(1, p.bandwidth/piecesPerSecond))
}

// throttle waits for as long as n bytes take at the upload's bandwidth. It returns false if the fleet
// closes. It doesn't look whether the client has left, which may have sent everything.
func (c *conn) throttle(n int, p *upload) bool {
	if p.bandwidth == 0 || n == 0 {
		return true
	}
	if !c.sleepUnwatched(time.Duration(n) * time.Second / time.Duration(p.bandwidth)) {
		return false
	}
	c.setDeadline(StallLimit)
	return true
}

var errClosing = errors.New("the fleet closes")

// receiveSome asks for a body and reads up to n bytes of it. It returns false if the body broke off. A
// body of n bytes or fewer counts as read.
func (c *conn) receiveSome(r *request, p *upload, n int64) bool {
	if n <= 0 {
		return true
	}
	if c.buf.reader.Buffered() == 0 && !c.sendContinue(r) {
		return false
	}
	s := c.getBodyBuffer()
	defer c.putBodyBuffer()
	s.sum.Reset()
	if r.Length != fault.UnknownLength {
		err := c.readBody(s, min(n, r.Length), p)
		r.BodyRead = p.Size == r.Length
		return err == nil
	}
	chunks := httputil.NewChunkedReader(c.buf.reader)
	for p.Size < n {
		got, err := chunks.Read(s.buffer[:min(n-p.Size, BodyBufferSize)])
		s.take(got, p)
		if errors.Is(err, io.EOF) {
			r.BodyRead = c.skipTrailer() == nil
			return r.BodyRead
		}
		if err != nil {
			return false
		}
	}
	return true
}
