package pacing

import "context"

// Yield is how a delivery of a rollout leaves its worker to other devices.
type Yield struct {
	// While calls wait, with the worker free for other devices meanwhile, and returns what wait
	// returns.
	While func(wait func(context.Context) bool) bool
	// Later reports that the device can have another turn, so that a long pause that it asks for
	// need not be waited for.
	Later bool
}

// yieldContext holds the Yield itself, because context.WithValue would allocate it separately.
type yieldContext struct {
	context.Context
	yield Yield
}

type yieldKey struct{}

// WithYield returns a context whose delivery yields as y says.
func WithYield(ctx context.Context, y Yield) context.Context { return &yieldContext{ctx, y} }

// YieldOf returns the Yield of ctx, or nil if the delivery isn't one of a rollout.
func YieldOf(ctx context.Context) *Yield {
	y, _ := ctx.Value(yieldKey{}).(*Yield)
	return y
}

// Value implements [context.Context].
func (c *yieldContext) Value(key any) any {
	if key == (yieldKey{}) {
		return &c.yield
	}
	return c.Context.Value(key)
}
