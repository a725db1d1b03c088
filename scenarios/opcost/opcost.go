package opcost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// Config says what to measure.
type Config struct {
	Time        bool `json:"time"`
	Allocations bool `json:"allocations"`
	Streaming   bool `json:"streaming"`

	// Operations is the number of operations for each variant, 1 to MaxOperations.
	Operations int `json:"operations"`
	// Sizes are the sizes of the artifacts whose pushes measure memory, in bytes.
	Sizes []int64 `json:"sizes"`
	// Components are the parts of the client by which allocations are divided. Allocations of none
	// of them belong to the component "other". See [DeliveryComponents].
	Components []profiles.Component `json:"components"`
}

// MaxOperations is the largest Config.Operations. Each operation may need a device of its own.
const MaxOperations = 10_000

// A Report is what was measured.
type Report struct {
	ArtifactBytes int64         `json:"artifact_bytes"` // the artifact's size in Phases and Allocations
	Phases        []Phases      `json:"phases,omitempty"`
	Allocations   []Allocations `json:"allocations,omitempty"`
	PushMemory    []PushMemory  `json:"streams,omitempty"`
}

// artifactBytes is the artifact's size in measurements where the size doesn't matter. It fits into
// one packet.
const artifactBytes = 1 << 10

// Fleet says how to start the process of the devices.
type Fleet struct {
	Command []string  // the program and the arguments that lead to target.Serve
	Stderr  io.Writer // receives its standard error
}

// measure measures what cfg asks for. It calls onStep with the name of each step as it begins.
func measure(ctx context.Context, cfg Config, f Fleet, onStep func(string)) (_ *Report, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	spec := scenarios.Default()
	spec.Name, spec.Fleet.Devices = "opcost", cfg.Operations+spareDevices
	fleet, err := target.StartProcess(ctx, f.Command, spec, f.Stderr)
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
		for _, v := range variants() {
			onStep("phases of " + v.String())
			p, err := b.phases(ctx, v)
			if err != nil {
				return nil, err
			}
			r.Phases = append(r.Phases, p)
		}
	}
	if cfg.Allocations {
		for _, v := range variants() {
			onStep("allocations of " + v.String())
			a, err := b.allocations(ctx, v, cfg.Components)
			if err != nil {
				return nil, err
			}
			r.Allocations = append(r.Allocations, *a)
		}
	}
	if cfg.Streaming {
		for _, size := range cfg.Sizes {
			onStep(fmt.Sprintf("memory of a push of %d MB", size/1e6))
			m, err := b.pushMemory(ctx, size)
			if err != nil {
				return nil, err
			}
			r.PushMemory = append(r.PushMemory, m)
		}
	}
	return r, nil
}

func (c Config) check() error {
	if c.Operations < 1 || c.Operations > MaxOperations {
		return fmt.Errorf("operations %d: want 1 to %d", c.Operations, MaxOperations)
	}
	if c.Allocations && runtime.MemProfileRate != 1 {
		return fmt.Errorf("the rate of the memory profile is %d: want 1 from the process's beginning",
			runtime.MemProfileRate)
	}
	for _, size := range c.Sizes {
		if size < 1 {
			return fmt.Errorf("artifact of %d bytes: want one at least", size)
		}
	}
	return nil
}

// randomBytes returns n bytes that can't be compressed. They are the same every time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // Read never fails
	return b
}
