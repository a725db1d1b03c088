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

// Config says what a [Capture] takes and how closely. The zero value takes all
// kinds at rates that a load test hardly feels.
type Config struct {
	// Kinds to take, each at most once. Nil is all of [profiles.Kinds].
	Kinds []profiles.Kind

	// TraceDuration is how long an execution trace is taken from the beginning,
	// trace.REPETITION.out; up to 10s, 0 is none. It costs some percent while it lasts.
	TraceDuration time.Duration

	// Labels go into every file as comments "key=value", sorted by key: scenario,
	// operation, transport. At most 16; a key is 1 to 64 of a-z, 0-9, '_', '-' and '.',
	// a value at most 256 bytes of printable UTF-8.
	Labels map[string]string

	// For tests; 0 is the default.
	mutexFraction  int           // one in so many contended unlocks is sampled
	blockRate      time.Duration // one event per so much time spent blocked is sampled, and every longer one
	goroutineDelay time.Duration // how far into the repetition goroutines are taken
}

const (
	defaultMutexFraction  = 10
	defaultBlockRate      = 10 * time.Microsecond
	defaultGoroutineDelay = 100 * time.Millisecond

	maxTraceDuration = 10 * time.Second
)

// resolve checks cfg and fills in what was left out.
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
