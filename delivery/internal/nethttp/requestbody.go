package nethttp

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// requestBody is the body of a request, as net/http reads it. It tells the request's timer when the
// first byte is read, and when the last one was.
type requestBody struct {
	timer *requestTimer

	mu   sync.Mutex
	body *exchange.Body // nil: detached
	at   int64
	rate *pacing.ByteRate // nil: no limit
	sent atomic.Int64     // equals at, for the timer, which must not wait for a read
}

var errDetached = errors.New("the operation is over")

// attach sets what is read.
func (b *requestBody) attach(a *exchange.Body, rate *pacing.ByteRate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body, b.at, b.rate = a, 0, rate
	b.sent.Store(0)
}

// detach waits for a read that is under way, and has all later ones fail: net/http may go on
// reading a body that it gave up on, and the source is the caller's again when the exchange is
// over.
func (b *requestBody) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body = nil
}

func (b *requestBody) bytesRead() int64 { return b.sent.Load() }

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return 0, errDetached
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	p = p[:min(int64(len(p)), b.body.Size-b.at)]
	if len(p) == 0 {
		b.timer.requestWritten()
		return 0, io.EOF
	}
	most, err := b.hold(int64(len(p)))
	if err != nil {
		return 0, err
	}
	p = p[:most]
	n, err := b.body.Source.ReadAt(p, b.at)
	b.advance(n)
	if n < len(p) {
		b.timer.requestWritten()
		return n, exchange.ShortRead(b.at, err)
	}
	return n, nil
}

// sendTo writes up to limit bytes to a connection.
func (b *requestBody) sendTo(c *countedConn, limit int64) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return 0, errDetached
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	begun, end := b.at, min(b.at+limit, b.body.Size)
	for b.at < end {
		n, err := b.hold(min(exchange.ChunkSize, end-b.at))
		if err != nil {
			return b.at - begun, err
		}
		n, err = c.chunks.CopyChunk(c, b.body, b.at, n)
		b.advance(int(n))
		if err != nil {
			return b.at - begun, err
		}
	}
	return b.at - begun, nil
}

func (b *requestBody) advance(n int) {
	b.at += int64(n)
	b.sent.Store(b.at)
}

func (b *requestBody) Close() error {
	b.timer.requestWritten()
	return nil
}

// hold waits until the rate lets another piece of the body go out, and returns how many bytes. b.mu
// is held, but not during the wait: the exchange may end meanwhile.
func (b *requestBody) hold(n int64) (int64, error) {
	if b.rate == nil {
		return n, nil
	}
	n = min(n, b.rate.Piece())
	wait, from := b.rate.Take(time.Now(), n), b.body
	b.timer.hold(wait)
	for wait > 0 {
		slice := min(wait, 20*time.Millisecond)
		wait -= slice
		b.mu.Unlock()
		time.Sleep(slice)
		b.mu.Lock()
		if b.body != from || b.timer.hasEnded() {
			return 0, errDetached
		}
	}
	return n, nil
}
