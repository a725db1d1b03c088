package delivery

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// requestBody reads an artifact for net/http, and tells its clock when it is first
// read and when it has been read to its end.
type requestBody struct {
	clock *callClock

	mu   sync.Mutex
	from *Artifact // nil: detached
	at   int64
	rate *byteRate    // nil: no limit
	read atomic.Int64 // at, for the clock, which must not wait for a read
}

var errDetached = errors.New("the operation is over")

// attach takes an artifact to read.
func (b *requestBody) attach(a *Artifact, rate *byteRate) {
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
		b.clock.upload()
	}
	p = p[:min(int64(len(p)), b.from.size-b.at)]
	if len(p) == 0 {
		b.clock.sent()
		return 0, io.EOF
	}
	most, err := b.hold(int64(len(p)))
	if err != nil {
		return 0, err
	}
	p = p[:most]
	n, err := b.from.source.ReadAt(p, b.at)
	b.moved(n)
	if n < len(p) {
		b.clock.sent()
		return n, cutShort(b.at, err)
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
		b.clock.upload()
	}
	begun, end := b.at, min(b.at+limit, b.from.size)
	for b.at < end {
		n, err := b.hold(min(chunkSize, end-b.at))
		if err != nil {
			return b.at - begun, err
		}
		n, err = c.chunks.pass(c, b.from, b.at, n)
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
	b.clock.sent()
	return nil
}
