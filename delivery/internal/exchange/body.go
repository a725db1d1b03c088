package exchange

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Body is the content of a request: bytes of a known size, which any number of requests may send at
// the same time.
type Body struct {
	Source io.ReaderAt
	Memory []byte // the same bytes, where they are in memory anyway
	Size   int64
}

// SourceError reports that the body of a request couldn't be read.
type SourceError struct{ err error }

// Error implements error.
func (e *SourceError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.err }

// ShortRead returns the SourceError of a body whose source ended at an offset, or failed there with
// err.
func ShortRead(at int64, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &SourceError{fmt.Errorf("reading artifact at byte %d: %w", at, err)}
}

// SingleWrite is how much of a body goes out in one write with the request's head, in bytes. The
// progress of an upload of no more than that isn't checked.
const SingleWrite = 2 << 10

// ChunkSize is how much of a body is in memory at once, per request: it stays in the processor's
// cache between its read and its write. (sendfile was measured a fifth slower over loopback, whose
// receiver then copies from cold pages.)
const ChunkSize = 128 << 10

// ChunkPool keeps memory for chunks.
type ChunkPool struct{ pool sync.Pool }

func (p *ChunkPool) get() *[ChunkSize]byte {
	if c, ok := p.pool.Get().(*[ChunkSize]byte); ok {
		return c
	}
	return new([ChunkSize]byte)
}

func (p *ChunkPool) put(c *[ChunkSize]byte) { p.pool.Put(c) }

// CopyChunk writes n bytes of a body from an offset on, ChunkSize at most. It returns how many w
// took.
func (p *ChunkPool) CopyChunk(w io.Writer, b *Body, at, n int64) (int64, error) {
	if b.Memory != nil {
		done, err := w.Write(b.Memory[at : at+n])
		return int64(done), err
	}
	chunk := p.get()
	defer p.put(chunk)
	buf := chunk[:n]
	if got, err := b.Source.ReadAt(buf, at); got < len(buf) {
		return 0, ShortRead(at+int64(got), err)
	}
	done, err := w.Write(buf)
	return int64(done), err
}
