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

// requestBody reads an artifact for net/http, and tells its timer when it is first
// read and when it has been read to its end.
type requestBody struct {
	timer *requestTimer

	mu   sync.Mutex
	from *exchange.Body // nil: detached
	at   int64
	rate *pacing.ByteRate // nil: no limit
	read atomic.Int64     // at, for the timer, which must not wait for a read
}

var errDetached = errors.New("the operation is over")

// attach takes an artifact to read.
func (b *requestBody) attach(a *exchange.Body, rate *pacing.ByteRate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from, b.at, b.rate = a, 0, rate
	b.read.Store(0)
}

// detach lets go of the artifact, after a read that is under way: net/http may go on reading a body
// after it gave up on it, and the artifact is the caller's again when the operation is over.
func (b *requestBody) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from = nil
}

func (b *requestBody) passed() int64 { return b.read.Load() }

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, errDetached
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	p = p[:min(int64(len(p)), b.from.Size-b.at)]
	if len(p) == 0 {
		b.timer.requestWritten()
		return 0, io.EOF
	}
	most, err := b.hold(int64(len(p)))
	if err != nil {
		return 0, err
	}
	p = p[:most]
	n, err := b.from.Source.ReadAt(p, b.at)
	b.moved(n)
	if n < len(p) {
		b.timer.requestWritten()
		return n, exchange.ShortRead(b.at, err)
	}
	return n, nil
}

// sendTo writes up to limit bytes straight to a socket.
func (b *requestBody) sendTo(c *countedConn, limit int64) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, errDetached
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	begun, end := b.at, min(b.at+limit, b.from.Size)
	for b.at < end {
		n, err := b.hold(min(exchange.ChunkSize, end-b.at))
		if err != nil {
			return b.at - begun, err
		}
		n, err = c.chunks.CopyChunk(c, b.from, b.at, n)
		b.moved(int(n))
		if err != nil {
			return b.at - begun, err
		}
	}
	return b.at - begun, nil
}

func (b *requestBody) moved(n int) {
	b.at += int64(n)
	b.read.Store(b.at)
}

func (b *requestBody) Close() error {
	b.timer.requestWritten()
	return nil
}

// hold waits until another piece of the body may go out, and returns how much that is. b.mu
// is held, but not while it waits: the operation may end meanwhile.
func (b *requestBody) hold(n int64) (int64, error) {
	if b.rate == nil {
		return n, nil
	}
	n = min(n, b.rate.Piece())
	wait, from := b.rate.Take(time.Now(), n), b.from
	b.timer.hold(wait)
	for wait > 0 {
		slice := min(wait, 20*time.Millisecond)
		wait -= slice
		b.mu.Unlock()
		time.Sleep(slice)
		b.mu.Lock()
		if b.from != from || b.timer.hasEnded() {
			return 0, errDetached
		}
	}
	return n, nil
}
