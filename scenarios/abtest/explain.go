package abtest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"path/filepath"
	"reflect"
	"runtime/debug"
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
	Dir          string   // the directory for the profiles, in its subdirectories base and now

	// Kind is profiles.CPU, profiles.Block or profiles.Allocs. A profile of allocations counts
	// every allocation, in a process that does so from its start.
	Kind profiles.Kind

	// Pairs is how often each side takes its turn at most, and Each is how long a turn lasts. If Each is 0,
	// it is turnTime, allocsTurn for allocations, or processTurn if the client is in processes of its
	// own. If Pairs is 0, it is enough to name functions.
	Pairs int
	Each  time.Duration

	Seed      uint64    // of the order in which the sides take turns
	Injection Injection // makes the working tree's side worse

	Stderr   io.Writer          // where the fleet's process writes its errors
	Progress func(done, of int) // is called after each pair; may be nil
}

// turnTime and allocsTurn are how long a turn lasts. The shorter it is, the more alike is the machine in both turns
// of a pair; but ending a profile costs a tenth of a second.
// Every allocation is counted, so few operations tell as much of them as many.
const (
	turnTime   = 500 * time.Millisecond
	allocsTurn = 100 * time.Millisecond
)

// explainSides profiles both sides in turns, and returns the functions whose costs differ. how
// selects the functions that may be the cause, and the stacks that count.
func explainSides(ctx context.Context, o profileOptions, how explain.Options) (*explain.Paired, error) {
	base, now := filepath.Join(o.Dir, checkout.Base), filepath.Join(o.Dir, checkout.Now)
	var explained *explain.Paired
	err := profileSides(ctx, o, func(t explain.Taking[*driver]) (err error) {
		explained, err = explain.TakeAndExplain(ctx, t, base, now, o.Kind, how)
		return err
	})
	return explained, err
}

// profileSides starts both sides, and calls take, which has them profiled in turns.
func profileSides(ctx context.Context, o profileOptions, take func(explain.Taking[*driver]) error) (err error) {
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
	pairs, each := o.turns()
	return take(explain.Taking[*driver]{
		Sides: sides.all(), Pairs: pairs, Random: rand.New(rand.NewPCG(o.Seed, 1)), Progress: o.Progress,
		Take: func(d *driver, n int) error {
			profile := &profileRequest{Dir: filepath.Join(o.Dir, d.side), Kind: o.Kind, Number: n, Nanoseconds: each}
			_, err := d.call(ctx, request{Profile: profile})
			return err
		},
	})
}

// OwnFunctions returns prefixes of the names of functions that may be the cause of a regression:
// those of the running program's module, and those of the delivery package's module if that is
// another one.
func OwnFunctions() []string {
	own := []string{path.Dir(deliveryPackage()) + "/", "main."}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" && info.Main.Path+"/" != own[0] {
		own = append(own, info.Main.Path+"/")
	}
	return own
}

// deliveryPackage returns the import path of the delivery package, which differs in a renamed copy
// of the module.
func deliveryPackage() string { return reflect.TypeFor[delivery.Client]().PkgPath() }

// deliveryFunctions returns the prefixes of the names of the client's functions: those of the
// delivery package and of the packages below it.
func deliveryFunctions() []string { return []string{deliveryPackage() + ".", deliveryPackage() + "/"} }
