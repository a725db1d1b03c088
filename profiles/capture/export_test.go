package capture

import "time"

// CatchingAll returns a copy of cfg with which every contended lock and every blocking event is
// sampled.
func (cfg Config) CatchingAll() Config {
	cfg.mutexFraction, cfg.blockRate = 1, time.Nanosecond
	return cfg
}

// GoroutinesAfter returns a copy of cfg with which goroutines are captured after d.
func (cfg Config) GoroutinesAfter(d time.Duration) Config {
	cfg.goroutineDelay = d
	return cfg
}

// GoroutinesTaken returns a channel that is closed when c has captured its goroutines.
func (c *Capture) GoroutinesTaken() <-chan struct{} { return c.goroutinesDone }

// DropOwn is dropOwn, for tests.
var DropOwn = dropOwn
