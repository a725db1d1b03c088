package abtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// profileOptions say how two sides are profiled.
type profileOptions struct {
	Sides        Sides
	Spec         scenarios.Spec
	FleetCommand []string // the program and its arguments that lead to scenarios.ServeFleet
	Dir          string   // for the profiles, which go into base and now in it

	// Kind is profiles.CPU, profiles.Block or profiles.Allocs. Profiles of allocations count each
	// one, in processes that do so from their beginning.
	Kind profiles.Kind

	// SampleIndex names the number to explain, such as alloc_objects; empty is the profile's own
	// choice.
	SampleIndex string

	// Pairs is how often each side takes its turn, and Each how long a turn is. If Each is 0, it is
	// turnTime. If Pairs is 0, it is the number of the kind below.
	Pairs int
	Each  time.Duration

	Own    []string // how the names of the functions begin that may be the cause
	Within []string // how the name of a function begins that a stack must have to count; empty: all count

	Seed  uint64          // of the order in which the sides take turns
	Plant scenarios.Plant // makes the working tree's side worse

	Stderr   io.Writer          // where the fleet's process writes its errors
	Progress func(done, of int) // is called after each pair; may be nil
}

// The defaults give some 2,000 samples a side, so that a function with a twentieth of a push has a
// hundred. A short turn meets the same machine as the other one of its pair; but to end a profile
// costs a tenth of a second.
const (
	turnTime = 500 * time.Millisecond

	cpuPairs   = 50
	waitPairs  = 20 // all waits are counted but the shortest
	exactPairs = 8  // of allocations, in which there is no noise
)

// An explained says which functions differ. Profiles of a pair have the same index in BaseFiles and
// NowFiles.
type explained struct {
	*profiles.Explanation
	BaseFiles, NowFiles []string
}

// explain profiles both sides in turns, and says of which functions the cost differs.
func explain(ctx context.Context, o profileOptions) (*explained, error) {
	if err := takeProfiles(ctx, o); err != nil {
		return nil, err
	}
	e := &explained{}
	var err error
	if e.BaseFiles, err = profiles.Find(filepath.Join(o.Dir, sideBase), o.Kind); err != nil {
		return nil, err
	}
	if e.NowFiles, err = profiles.Find(filepath.Join(o.Dir, sideNow), o.Kind); err != nil {
		return nil, err
	}
	e.Explanation, err = profiles.Explain(ctx, e.BaseFiles, e.NowFiles, profiles.ExplainOptions{
		SampleIndex: o.SampleIndex, Own: o.Own, Within: o.Within, Paired: true,
	})
	return e, err
}

// takeProfiles profiles both sides in turns, or the base's alone if there is no other.
func takeProfiles(ctx context.Context, o profileOptions) (finally error) {
	pairs := map[profiles.Kind]int{profiles.CPU: cpuPairs, profiles.Block: waitPairs, profiles.Allocs: exactPairs}
	o.Pairs, o.Each = cmp.Or(o.Pairs, pairs[o.Kind]), cmp.Or(o.Each, turnTime)
	drivers, done, err := o.start(ctx)
	if err != nil {
		return err
	}
	defer func() { finally = errors.Join(finally, done()) }()
	if o.Plant != (scenarios.Plant{}) {
		if _, err := drivers[sideNow].ask(ctx, request{Plant: &o.Plant}); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(o.Seed, 1))
	for n := 1; n <= o.Pairs; n++ {
		turns := slices.Sorted(maps.Keys(drivers)) // the base's first
		if random.IntN(2) == 1 {
			slices.Reverse(turns)
		}
		for _, side := range turns {
			take := &profileRequest{Dir: filepath.Join(o.Dir, side), Kind: o.Kind, Number: n, Nanoseconds: o.Each}
			if _, err := drivers[side].ask(ctx, request{Profile: take}); err != nil {
				return err
			}
		}
		if o.Progress != nil {
			o.Progress(n, o.Pairs)
		}
	}
	return nil
}

// start starts a fleet and a driver for each side that has a program, and warms these up. done ends
// them.
func (o profileOptions) start(ctx context.Context) (drivers map[string]*driver, done func() error, err error) {
	var closers []func() error
	end := func() (err error) {
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	fleet, err := scenarios.StartFleetAlone(ctx, o.FleetCommand, o.Spec, o.Stderr)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, fleet.Close)
	spec, err := json.Marshal(o.Spec)
	if err != nil {
		return nil, nil, err
	}
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil, nil, err
	}
	first := order{
		Protocol: protocol, EveryAllocation: o.Kind == profiles.Allocs,
		Work: []work{{
			Spec: spec, Fleet: fleet.Address, Control: fleet.Control, Token: fleet.Token, CA: fleet.Authority,
			Machine: machine.Identity,
		}},
	}
	drivers = map[string]*driver{}
	for side, program := range map[string]string{sideBase: o.Sides.Base, sideNow: o.Sides.Now} {
		if program == "" {
			continue
		}
		d, err := startDriver(ctx, side, program, first, profileLimit)
		if err != nil {
			return nil, nil, err
		}
		drivers[side] = d
		closers = append(closers, d.close)
		if _, err := d.ask(ctx, request{Measure: true}); err != nil { // caches are cold
			return nil, nil, err
		}
	}
	return drivers, end, nil
}

// The sides' names, in errors and directories.
const (
	sideBase = checkout.Base
	sideNow  = checkout.Now
)

// OwnFunctions returns how the names of the functions begin that belong to the running program's
// module: those that may cause a regression.
func OwnFunctions() []string { return []string{ownModule() + "/", "main."} }

// deliveryFunctions returns how the names of the delivery package's functions begin.
func deliveryFunctions() []string { return []string{ownModule() + "/delivery."} }

// ownModule returns the path of the running program's module, which is another in a renamed copy.
func ownModule() string {
	const module = "github.com/fleetmark/fleetmark"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		return info.Main.Path
	}
	return module
}
