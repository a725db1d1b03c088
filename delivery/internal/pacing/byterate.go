package pacing

import (
	"context"
	"sync"
	"time"
)

// ByteRate shares a number of bytes a second among uploads: each piece is given the time
// when it may go out. It is safe for concurrent use.
type ByteRate struct {
	perSecond float64

	mu   sync.Mutex
	next time.Time // when the next piece may go out
}

// NewByteRate returns a rate in bytes a second, or nil for 0, which stands for no limit.
func NewByteRate(perSecond int64) *ByteRate {
	if perSecond == 0 {
		return nil
	}
	return &ByteRate{perSecond: float64(perSecond)}
}

// Piece returns how many bytes of an artifact should go out at once, at most: a twentieth of a
// second's.
func (r *ByteRate) Piece() int64 { return max(int64(r.perSecond/20), 1<<10) }

// Take reserves n bytes, and returns how long it is until they may go out.
func (r *ByteRate) Take(now time.Time, n int64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := max(0, r.next.Sub(now))
	r.next = now.Add(wait + time.Duration(float64(n)/r.perSecond*float64(time.Second)))
	return wait
}

type byteRateKey struct{}

// WithByteRate returns a context whose pushes keep to the rate. It returns ctx if r is nil.
func WithByteRate(ctx context.Context, r *ByteRate) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, byteRateKey{}, r)
}

// ByteRateOf returns the rate that pushes of ctx keep to, or nil if there is none.
func ByteRateOf(ctx context.Context) *ByteRate {
	r, _ := ctx.Value(byteRateKey{}).(*ByteRate)
	return r
}
