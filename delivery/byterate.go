package delivery

import (
	"context"
	"sync"
	"time"
)

// byteRate shares a number of bytes a second among uploads: each piece is given the time
// when it may go out. It is safe for concurrent use.
type byteRate struct {
	perSecond float64

	mu   sync.Mutex
	next time.Time // when the next piece may go out
}

// newByteRate returns nil for 0: no limit.
func newByteRate(perSecond int64) *byteRate {
	if perSecond == 0 {
		return nil
	}
	return &byteRate{perSecond: float64(perSecond)}
}

// piece is how much of an artifact goes out at once, in bytes: a twentieth of a second's.
func (r *byteRate) piece() int64 {
	return min(max(int64(r.perSecond/20), 1<<10), chunkSize)
}

// take reserves n bytes, and returns how long it is until they may go out.
func (r *byteRate) take(now time.Time, n int64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := max(0, r.next.Sub(now))
	r.next = now.Add(wait + time.Duration(float64(n)/r.perSecond*float64(time.Second)))
	return wait
}

type byteRateKey struct{}

// withByteRate makes the pushes of a context keep to a rate.
func withByteRate(ctx context.Context, r *byteRate) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, byteRateKey{}, r)
}

func byteRateOf(ctx context.Context) *byteRate {
	r, _ := ctx.Value(byteRateKey{}).(*byteRate)
	return r
}
