package client

import (
	"context"
	"time"
)

// A Full is a client with a Deliver.
type Full interface {
	Client
	Deliverer
}

// WithDeliver returns c itself if it is a [Deliverer]. Otherwise it returns a client that delivers
// with one push and, if the push succeeded, one verification. The result is a [Rollouter] and a
// [StatsReporter] if c is.
func WithDeliver(c Client) Full {
	if full, ok := c.(Full); ok {
		return full
	}
	d := pushThenVerify{c}
	r, rolls := c.(Rollouter)
	s, reports := c.(StatsReporter)
	switch {
	case rolls && reports:
		return struct {
			pushThenVerify
			Rollouter
			StatsReporter
		}{d, r, s}
	case rolls:
		return struct {
			pushThenVerify
			Rollouter
		}{d, r}
	case reports:
		return struct {
			pushThenVerify
			StatsReporter
		}{d, s}
	}
	return d
}

// Unwrap returns the client that [WithDeliver] was given.
func Unwrap(c Client) Client {
	if w, ok := c.(interface{ unwrap() Client }); ok {
		return w.unwrap()
	}
	return c
}

// pushThenVerify is a client that delivers with its own push and verification.
type pushThenVerify struct{ Client }

func (p pushThenVerify) unwrap() Client { return p.Client }

// Deliver implements [Deliverer].
func (p pushThenVerify) Deliver(ctx context.Context, d Device, u *Update) (Report, error) {
	began := time.Now()
	if err := p.Push(ctx, d, u); err != nil {
		return Report{Pushes: 1}, err
	}
	pushed := time.Now()
	err := p.Verify(ctx, d, u)
	return Report{Pushes: 1, Verifies: 1, Push: pushed.Sub(began), Verify: time.Since(pushed)}, err
}
