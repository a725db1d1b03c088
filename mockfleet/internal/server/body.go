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
	bodyBufferSize = 64 << 10 // bytes read at a time from a large body
	discardLimit   = 64 << 10 // bytes of an unwanted body read to keep the connection
	lingerLimit    = 16 << 20 // bytes of an unwanted body read to let the client see the answer
	lingerTime     = 5 * time.Second
)

// bodyBuffer hashes a large body piece by piece, so that an artifact of any size takes the same
// memory.
type bodyBuffer struct {
	sum    hash.Hash
	buffer [bodyBufferSize]byte
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

// receive reads a body to its end, and counts and hashes it into u. It fails if the body breaks
// off.
func (c *conn) receive(r *request, u *upload) error {
	b := c.getBodyBuffer()
	defer c.putBodyBuffer()
	b.sum.Reset()
	var err error
	if r.Length == fault.UnknownLength {
		err = c.receiveChunked(b, u)
	} else {
		err = c.readBody(b, r.Length, u)
	}
	if err != nil {
		return err
	}
	r.BodyRead = true
	b.sum.Sum(u.Digest[:0])
	return nil
}

func (c *conn) receiveChunked(b *bodyBuffer, u *upload) error {
	chunks := httputil.NewChunkedReader(c.buf.reader)
	for {
		n, err := chunks.Read(b.buffer[:u.readSize(bodyBufferSize)])
		b.take(n, u)
		if !c.throttle(n, u) {
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
	for left := headerLimit; left > 0; {
		line, err := c.buf.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("trailer: %w", err)
		}
		if len(line) <= len("\r\n") && len(bytes.TrimRight(line, "\r\n")) == 0 {
			return nil
		}
		left -= len(line)
	}
	return fmt.Errorf("trailer: larger than %d bytes", headerLimit)
}

// take hashes the first n bytes of the buffer, after it has flipped the bit that a fault asks for.
func (b *bodyBuffer) take(n int, u *upload) {
	if at := u.flipByte - 1 - u.Size; u.flipByte > 0 && at >= 0 && at < int64(n) {
		b.buffer[at] ^= 1
	}
	b.sum.Write(b.buffer[:n])
	u.Size += int64(n)
}

// readBody hashes exactly n bytes of the connection.
func (c *conn) readBody(b *bodyBuffer, n int64, u *upload) error {
	for n > 0 {
		got, err := c.buf.reader.Read(b.buffer[:min(n, u.readSize(bodyBufferSize))])
		b.take(got, u)
		n -= int64(got)
		if err != nil && n > 0 {
			return fmt.Errorf("body: %w", err)
		}
		if !c.throttle(got, u) {
			return errClosing
		}
	}
	return nil
}

// discardBody reads and drops an unwanted body if that is cheap. It reports whether it did. If not,
// the connection must end with the answer.
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

// linger half-closes the connection and reads on for a while. Closing it with unread data would
// reset it, and a reset can overtake the answer on its way to the client (RFC 9112 §9.6).
func (c *conn) linger() {
	half, ok := c.appConn().(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	b := c.getBodyBuffer()
	for left := lingerLimit; left > 0; {
		n, err := c.buf.reader.Read(b.buffer[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// piecesPerSecond is how often a device with a limited bandwidth reads.
const piecesPerSecond = 10

// readSize returns how many bytes of the body to read at a time. It never returns more than most.
func (u *upload) readSize(most int64) int64 {
	if u.bandwidth == 0 {
		return most
	}
	return min(most, max(1, u.bandwidth/piecesPerSecond))
}

// throttle waits for as long as n bytes take at the upload's bandwidth. It returns false if the
// fleet closes. It doesn't check whether the client has left: the client may have sent everything.
func (c *conn) throttle(n int, u *upload) bool {
	if u.bandwidth == 0 || n == 0 {
		return true
	}
	if !c.sleepUnwatched(time.Duration(n) * time.Second / time.Duration(u.bandwidth)) {
		return false
	}
	c.deadline.set(stallLimit)
	return true
}

var errClosing = errors.New("the fleet closes")

// receiveSome asks for a body and reads up to n bytes of it. It returns false if the body broke
// off. It sets BodyRead if the body has no more than n bytes.
func (c *conn) receiveSome(r *request, u *upload, n int64) bool {
	if n <= 0 {
		return true
	}
	if c.buf.reader.Buffered() == 0 && !c.sendContinue(r) {
		return false
	}
	b := c.getBodyBuffer()
	defer c.putBodyBuffer()
	b.sum.Reset()
	if r.Length != fault.UnknownLength {
		err := c.readBody(b, min(n, r.Length), u)
		r.BodyRead = u.Size == r.Length
		return err == nil
	}
	chunks := httputil.NewChunkedReader(c.buf.reader)
	for u.Size < n {
		got, err := chunks.Read(b.buffer[:min(n-u.Size, bodyBufferSize)])
		b.take(got, u)
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
