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

	// Profile divides what the memory profile has. It lacks objects of under 16 bytes without
	// pointers that found room in a block with others; see Unprofiled.
	Profile profiles.Breakdown `json:"profile"`
}

// Unprofiled returns what the runtime counted and the profile lacks.
func (a *Allocations) Unprofiled() (objects, bytes int64) {
	return a.Objects - a.Profile.Objects, a.Bytes - a.Profile.Bytes
}

// allocations measures the allocations of a variant. If the profile has more objects than the
// runtime counted, it measures again, a few times at most: what the runtime allocates by itself,
// for a new thread, between reading its counts and the begin or end of the profile, is in one of
// the two only.
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
	// Two collections empty the client's pools, and refilling them would be charged to these few
	// operations. The one that the capture makes doesn't.
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
	waitQuiet(ctx, &before) // what the warmup's connections still allocate doesn't count
	running, err := capture.Start(ctx, dir, 1, capture.Config{Kinds: []profiles.Kind{profiles.Allocs}})
	if err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	ran := b.run(ctx, c, v, 0, b.operations)
	waitQuiet(ctx, &after) // what the last connection's goroutines still allocate counts
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

// waitQuiet waits until nothing has been allocated for 10 ms, a second at most, and sets counts to
// what was allocated until then.
func waitQuiet(ctx context.Context, counts *runtime.MemStats) {
	const (
		interval   = 2 * time.Millisecond
		quietReads = 5 // that must show the same
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
