package abtest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// profileOptions say how two sides are profiled.
type profileOptions struct {
	Builds       Builds // without Now, the base alone is profiled
	Spec         scenarios.Spec
	FleetCommand []string // the program and its arguments that lead to target.Serve
	Dir          string   // for the profiles, which go into base and now in it

	// Kind is profiles.CPU, profiles.Block or profiles.Allocs. Profiles of allocations count each
	// one, in processes that do so from their beginning.
	Kind profiles.Kind

	// Pairs is how often each side takes its turn, and Each how long a turn is. If Each is 0, it is
	// turnTime. If Pairs is 0, it is the number of the kind below.
	Pairs int
	Each  time.Duration

	Seed      uint64    // of the order in which the sides take turns
	Injection Injection // makes the working tree's side worse

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
	*explain.Explanation
	BaseFiles, NowFiles []string
}

// explainSides profiles both sides in turns, and returns of which functions the cost differs. how
// selects the functions that may be the cause, and the stacks that count.
func explainSides(ctx context.Context, o profileOptions, how explain.Options) (*explained, error) {
	if err := takeProfiles(ctx, o); err != nil {
		return nil, err
	}
	e := &explained{}
	var err error
	if e.BaseFiles, err = profiles.Find(filepath.Join(o.Dir, checkout.Base), o.Kind); err != nil {
		return nil, err
	}
	if e.NowFiles, err = profiles.Find(filepath.Join(o.Dir, checkout.Now), o.Kind); err != nil {
		return nil, err
	}
	how.Paired = true
	e.Explanation, err = explain.Explain(ctx, e.BaseFiles, e.NowFiles, how)
	return e, err
}

// takeProfiles profiles both sides in turns.
func takeProfiles(ctx context.Context, o profileOptions) (err error) {
	fleets, err := startFleets(ctx, o.FleetCommand, []scenarios.Spec{o.Spec}, o.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleets.close()) }()
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return err
	}
	fleets.work[0].Machine = machine.Identity
	first := hello{Protocol: protocol, EveryAllocation: o.Kind == profiles.Allocs, Work: fleets.work}
	sides, err := startDrivers(ctx, o.Builds.Base, o.Builds.Now, first, profileLimit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sides.close()) }()
	for _, d := range sides.all() {
		if _, err := d.call(ctx, request{Measure: true}); err != nil { // caches are cold
			return err
		}
	}
	if o.Injection != (Injection{}) {
		if _, err := sides.now.call(ctx, request{Injection: &o.Injection}); err != nil {
			return err
		}
	}
	pairs := map[profiles.Kind]int{profiles.CPU: cpuPairs, profiles.Block: waitPairs, profiles.Allocs: exactPairs}
	o.Pairs, o.Each = cmp.Or(o.Pairs, pairs[o.Kind]), cmp.Or(o.Each, turnTime)
	random := rand.New(rand.NewPCG(o.Seed, 1))
	for n := 1; n <= o.Pairs; n++ {
		turns := sides.all()
		if random.IntN(2) == 1 {
			slices.Reverse(turns)
		}
		for _, d := range turns {
			take := &profileRequest{Dir: filepath.Join(o.Dir, d.side), Kind: o.Kind, Number: n, Nanoseconds: o.Each}
			if _, err := d.call(ctx, request{Profile: take}); err != nil {
				return err
			}
		}
		if o.Progress != nil {
			o.Progress(n, o.Pairs)
		}
	}
	return nil
}

// OwnFunctions returns prefixes of function names. A function with one of them may cause a
// regression: it is in the running program's module, or in that of the delivery package if that is
// another.
func OwnFunctions() []string {
	own := []string{path.Dir(deliveryPackage()) + "/", "main."}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" && info.Main.Path+"/" != own[0] {
		own = append(own, info.Main.Path+"/")
	}
	return own
}

// deliveryPackage returns the import path of the delivery package, which is another in a renamed
// copy of the module.
func deliveryPackage() string { return reflect.TypeFor[delivery.Client]().PkgPath() }
