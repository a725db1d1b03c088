package capture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
)

// A Config says what a [Capture] captures, and how precisely. The zero value captures all kinds at
// rates that hardly slow a load test.
type Config struct {
	// Kinds to capture, each at most once. Nil means all of [profiles.Kinds].
	Kinds []profiles.Kind

	// TraceDuration is how long an execution trace is recorded from the start of the repetition, in
	// trace.REPETITION.out. It is at most 10s; 0 means no trace. A trace takes some percent of the
	// processor while it is recorded.
	TraceDuration time.Duration

	// Labels are put into every file as comments "key=value", sorted by key, such as scenario,
	// operation and transport. There may be at most 16. A key has 1 to 64 characters of a-z, 0-9,
	// '_', '-' and '.', a value at most 256 bytes of printable UTF-8.
	Labels map[string]string

	// Set only by tests; 0 means the default.
	mutexFraction  int           // one in this many contended unlocks is sampled
	blockRate      time.Duration // one event in this much blocked time is sampled, and every longer one
	goroutineDelay time.Duration // from the start until goroutines are captured
}

const (
	defaultMutexFraction  = 10
	defaultBlockRate      = 10 * time.Microsecond
	defaultGoroutineDelay = 100 * time.Millisecond

	maxTraceDuration = 10 * time.Second
)

// resolve checks cfg and fills in the defaults.
func (cfg Config) resolve() (Config, error) {
	if cfg.TraceDuration < 0 || cfg.TraceDuration > maxTraceDuration {
		return Config{}, fmt.Errorf("profile configuration: trace for %v: want 0 (none) to %v",
			cfg.TraceDuration, maxTraceDuration)
	}
	cfg.mutexFraction = cmp.Or(cfg.mutexFraction, defaultMutexFraction)
	cfg.blockRate = cmp.Or(cfg.blockRate, defaultBlockRate)
	cfg.goroutineDelay = cmp.Or(cfg.goroutineDelay, defaultGoroutineDelay)
	kinds, err := checkKinds(cfg.Kinds)
	if err != nil {
		return Config{}, err
	}
	cfg.Kinds = kinds
	if err := profiles.CheckLabels(cfg.Labels); err != nil {
		return Config{}, err
	}
	cfg.Labels = maps.Clone(cfg.Labels)
	return cfg, nil
}

// checkKinds returns the kinds in the order of [profiles.Kinds].
func checkKinds(kinds []profiles.Kind) ([]profiles.Kind, error) {
	if kinds == nil {
		return profiles.Kinds(), nil
	}
	if len(kinds) == 0 {
		return nil, errors.New("profile configuration: no kinds: name at least one, or leave them out for all")
	}
	for i, k := range kinds {
		if _, err := profiles.ParseKind(string(k)); err != nil {
			return nil, fmt.Errorf("profile configuration: %w", err)
		}
		if slices.Contains(kinds[:i], k) {
			return nil, fmt.Errorf("profile configuration: kind %s: named twice: name it once", k)
		}
	}
	return slices.DeleteFunc(profiles.Kinds(), func(k profiles.Kind) bool { return !slices.Contains(kinds, k) }), nil
}
