package profiles

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Config says what a [Capture] takes and how closely. The zero value takes all
// kinds at rates that a load test hardly feels.
type Config struct {
	// Kinds to take, each at most once. Nil is all of [Kinds].
	Kinds []Kind

	// TraceFor is how long an execution trace is taken from the beginning, trace.REPETITION.out; up
	// to 10s, 0 is none. It costs some percent while it lasts.
	TraceFor time.Duration

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

	maxTraceFor = 10 * time.Second

	maxLabels     = 16
	maxLabelKey   = 64  // bytes
	maxLabelValue = 256 // bytes
	labelKeyRunes = "abcdefghijklmnopqrstuvwxyz0123456789_-."
)

// resolve checks cfg and fills in what was left out.
func (cfg Config) resolve() (Config, error) {
	if cfg.TraceFor < 0 || cfg.TraceFor > maxTraceFor {
		return Config{}, fmt.Errorf("profile configuration: trace for %v: want 0 (none) to %v", cfg.TraceFor, maxTraceFor)
	}
	cfg.mutexFraction = cmp.Or(cfg.mutexFraction, defaultMutexFraction)
	cfg.blockRate = cmp.Or(cfg.blockRate, defaultBlockRate)
	cfg.goroutineDelay = cmp.Or(cfg.goroutineDelay, defaultGoroutineDelay)
	kinds, err := checkKinds(cfg.Kinds)
	if err != nil {
		return Config{}, err
	}
	cfg.Kinds = kinds
	if err := checkLabels(cfg.Labels); err != nil {
		return Config{}, err
	}
	cfg.Labels = maps.Clone(cfg.Labels)
	return cfg, nil
}

// checkKinds returns the kinds in the order of [Kinds].
func checkKinds(kinds []Kind) ([]Kind, error) {
	if kinds == nil {
		return Kinds(), nil
	}
	if len(kinds) == 0 {
		return nil, errors.New("profile configuration: no kinds: name at least one, or leave them out for all")
	}
	for i, k := range kinds {
		if _, err := ParseKind(string(k)); err != nil {
			return nil, fmt.Errorf("profile configuration: %w", err)
		}
		if slices.Contains(kinds[:i], k) {
			return nil, fmt.Errorf("profile configuration: kind %s: named twice: name it once", k)
		}
	}
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !slices.Contains(kinds, k) }), nil
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return fmt.Errorf("profile configuration: %d labels: want at most %d", len(labels), maxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key == "" || len(key) > maxLabelKey || strings.Trim(key, labelKeyRunes) != "" {
			return fmt.Errorf("profile configuration: label %q: want a key of 1 to %d of a-z, 0-9, '_', '-' and '.'",
				key, maxLabelKey)
		}
		value := labels[key]
		if len(value) > maxLabelValue || Printable(value) != value {
			return fmt.Errorf("profile configuration: label %s: want a value of at most %d bytes of printable text",
				key, maxLabelValue)
		}
	}
	return nil
}

// comments returns labels as a profile carries them.
func comments(labels map[string]string) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return list
}

// Labels reads back what [Config].Labels put into a profile. Where repetitions with different
// labels were merged, the last value of a key stands; comments of another shape are left out.
func Labels(p *profile.Profile) map[string]string {
	labels := make(map[string]string)
	for _, comment := range p.Comments {
		key, value, ok := strings.Cut(comment, "=")
		if ok && key != "" && strings.Trim(key, labelKeyRunes) == "" {
			labels[key] = value
		}
	}
	return labels
}
