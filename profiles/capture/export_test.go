package capture

import "time"

// CatchingAll returns cfg with mutexes and blocking sampled whole.
func (cfg Config) CatchingAll() Config {
	cfg.mutexFraction, cfg.blockRate = 1, time.Nanosecond
	return cfg
}

// GoroutinesAfter returns cfg with the goroutines taken after d.
func (cfg Config) GoroutinesAfter(d time.Duration) Config {
	cfg.goroutineDelay = d
	return cfg
}

// GoroutinesTaken is closed once the capture has taken its goroutines.
func (c *Capture) GoroutinesTaken() <-chan struct{} { return c.goroutinesDone }

// DropOwn is what the tests look at from outside.
var DropOwn = dropOwn
