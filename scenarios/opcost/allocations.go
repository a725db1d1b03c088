package opcost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
)

// Allocations is what N operations allocated in the client's process.
type Allocations struct {
	Variant
	N int `json:"n"`

	// Objects and Bytes are the runtime's own counts (runtime.MemStats), from which allocs/op and
	// B/op are computed.
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`

	// Profile divides the allocations in the memory profile by component. The profile lacks objects
	// of under 16 bytes without pointers that found room in a block with others; see Unprofiled.
	Profile profiles.Breakdown `json:"profile"`
}

// Unprofiled returns what the runtime counted but the profile lacks.
func (a *Allocations) Unprofiled() (objects, bytes int64) {
	return a.Objects - a.Profile.Objects, a.Bytes - a.Profile.Bytes
}

// allocations measures the allocations of a variant. If the profile has more objects than the
// runtime counted, it measures again, a few times at most. The runtime itself may allocate, for
// example for a new thread, between reading its counts and the beginning or end of the profile;
// only one of the two contains that.
func (b *bench) allocations(ctx context.Context, v Variant, components []profiles.Component) (*Allocations, error) {
	const maxTries = 4
	for try := 1; ; try++ {
		a, err := b.allocationsOnce(ctx, v, components)
		if err != nil {
			return nil, err
		}
		objects, _ := a.Unprofiled()
		if objects >= 0 {
			return a, nil
		}
		if try == maxTries {
			return nil, fmt.Errorf("%s: the profile saw %d objects, and the runtime counted %d, %d times in a row: "+
				"the breakdown can't be believed", v, a.Profile.Objects, a.Objects, maxTries)
		}
	}
}

func (b *bench) allocationsOnce(
	ctx context.Context, v Variant, components []profiles.Component,
) (_ *Allocations, err error) {
	// Two collections in a row empty the client's pools, and refilling them would be charged to
	// these few operations. The capture makes one collection, so there must be no other.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	c, err := b.newClient(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	dir, err := os.MkdirTemp("", "fleetmark-opcost-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var before, after runtime.MemStats
	waitQuiet(ctx, &before) // don't count what the warm-up's connections still allocate
	running, err := capture.Start(ctx, dir, 1, capture.Config{Kinds: []profiles.Kind{profiles.Allocs}})
	if err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	ran := b.run(ctx, c, v, 0, b.operations)
	waitQuiet(ctx, &after) // count what the last connection's goroutines still allocate
	if _, err := running.Stop(); err != nil || ran != nil {
		return nil, errors.Join(ran, err)
	}
	parts, err := profiles.BreakdownOf(filepath.Join(dir, "allocs.1.pb.gz"), components)
	if err != nil {
		return nil, err
	}
	return &Allocations{
		Variant: v, N: b.operations, Profile: *parts,
		Objects: int64(after.Mallocs - before.Mallocs), Bytes: int64(after.TotalAlloc - before.TotalAlloc),
	}, nil
}

// waitQuiet waits until nothing has been allocated for 10 ms, but at most a second, and sets counts
// to what was allocated until then.
func waitQuiet(ctx context.Context, counts *runtime.MemStats) {
	const (
		interval   = 2 * time.Millisecond
		quietReads = 5 // reads in a row that must show the same counts
		maxReads   = 500
	)
	runtime.ReadMemStats(counts)
	for same, reads := 0, 0; same < quietReads && reads < maxReads && ctx.Err() == nil; reads++ {
		time.Sleep(interval)
		last := counts.Mallocs
		if runtime.ReadMemStats(counts); counts.Mallocs == last {
			same++
		} else {
			same = 0
		}
	}
}
