package opcost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Config says what to measure.
type Config struct {
	Time        bool `json:"time"`
	Allocations bool `json:"allocations"`
	Streaming   bool `json:"streaming"`

	// Operations is how many are looked at for each row; 1 to 10,000.
	Operations int `json:"operations"`
	// Sizes are the artifacts of Streaming, in bytes.
	Sizes []int64 `json:"sizes"`
}

// MaxOperations bounds Config.Operations: each may want a device of its own.
const MaxOperations = 10_000

// A Report is what was measured.
type Report struct {
	ArtifactBytes int64         `json:"artifact_bytes"` // of Phases and Allocations
	Phases        []Phases      `json:"phases,omitempty"`
	Allocations   []Allocations `json:"allocations,omitempty"`
	Streams       []Stream      `json:"streams,omitempty"`
}

// artifactBytes is the size of an artifact where size is not the question: a packet's worth.
const artifactBytes = 1 << 10

// Fleet says how to start the devices' process.
type Fleet struct {
	Command []string  // the program and arguments that lead to scenarios.ServeFleet
	Stderr  io.Writer // for what it says
}

// Measure measures. It tells each step before it begins.
func Measure(ctx context.Context, cfg Config, f Fleet, tell func(string)) (_ *Report, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	spec := scenarios.Default()
	spec.Name, spec.Fleet.Devices = "opcost", cfg.Operations+devicesSpare
	fleet, err := scenarios.StartFleetAlone(ctx, f.Command, spec, f.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	artifact, err := delivery.ArtifactFromBytes(randomBytes(artifactBytes))
	if err != nil {
		return nil, err
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		return nil, err
	}
	r := &Report{ArtifactBytes: artifactBytes}
	b := bench{update: update, devices: fleet.Devices(), operations: cfg.Operations}
	if cfg.Time {
		for _, k := range kinds() {
			tell("phases of " + k.String())
			p, err := b.phases(ctx, k)
			if err != nil {
				return nil, err
			}
			r.Phases = append(r.Phases, p)
		}
	}
	if cfg.Allocations {
		for _, k := range kinds() {
			tell("allocations of " + k.String())
			a, err := b.allocations(ctx, k)
			if err != nil {
				return nil, err
			}
			r.Allocations = append(r.Allocations, *a)
		}
	}
	if cfg.Streaming {
		for _, size := range cfg.Sizes {
			tell(fmt.Sprintf("memory of a push of %d MB", size/1e6))
			s, err := b.stream(ctx, size)
			if err != nil {
				return nil, err
			}
			r.Streams = append(r.Streams, s)
		}
	}
	return r, nil
}

func (c Config) check() error {
	if c.Operations < 1 || c.Operations > MaxOperations {
		return &scenarios.UsageError{What: fmt.Sprintf("operations %d: want 1 to %d", c.Operations, MaxOperations)}
	}
	if c.Allocations && runtime.MemProfileRate != 1 {
		return fmt.Errorf("the rate of the memory profile is %d: want 1 from the process's beginning", runtime.MemProfileRate)
	}
	for _, size := range c.Sizes {
		if size < 1 {
			return &scenarios.UsageError{What: fmt.Sprintf("artifact of %d bytes: want one at least", size)}
		}
	}
	return nil
}

// randomBytes are bytes that no transport can make smaller, the same every time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
}
