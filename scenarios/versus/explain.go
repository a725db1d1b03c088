package versus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// ExplainOptions say what two sides are profiled under.
type ExplainOptions struct {
	Sides        Sides
	Spec         scenarios.Spec
	FleetCommand []string // the program and arguments that lead to scenarios.ServeFleet
	Dir          string   // where the profiles go: base/ and now/ in it

	// Kind is profiles.CPU, profiles.Block or profiles.Allocs. 0: CPU. Of allocations every one is counted, in
	// processes that do so from their beginning.
	Kind profiles.Kind

	// SampleIndex names the number to explain, such as alloc_objects; empty is the profile's own choice.
	SampleIndex string

	// Pairs is how often each side has its turn, and Each how long a turn is. 0: DefaultExplainPairs and
	// DefaultExplainEach; of waits, which are all counted but for the shortest, waitPairs; of allocations, in which
	// there is no noise, exactPairs.
	Pairs int
	Each  time.Duration

	Own    []string // the beginnings of the functions that may be the cause
	Within []string // of those that a stack must have to count; empty: all count

	Seed  uint64          // of the order in which the sides take turns
	Plant scenarios.Plant // has now's side worse, to see whether that is found

	Stderr   io.Writer
	Progress func(done, of int) // may be nil; called after each pair
}

// The defaults: some 2,000 samples a side, of which a function with a twentieth of a push has a hundred. A turn
// is as short as may be, for what the machine does is then more alike in the two of a pair; but every
// profile costs a tenth of a second to end.
const (
	DefaultExplainPairs = 50
	DefaultExplainEach  = 500 * time.Millisecond

	waitPairs  = 20
	exactPairs = 8
)

// Explained is which functions differ, and the profiles that say so, a pair at the same place.
type Explained struct {
	*profiles.Explanation
	BaseFiles, NowFiles []string
}

func (o ExplainOptions) resolve() (ExplainOptions, error) {
	if o.Kind == "" {
		o.Kind = profiles.CPU
	}
	pairs, ok := map[profiles.Kind]int{profiles.CPU: DefaultExplainPairs, profiles.Block: waitPairs, profiles.Allocs: exactPairs}[o.Kind]
	if !ok {
		return o, fmt.Errorf("explain: profiles of kind %s: want %s, %s or %s", o.Kind, profiles.CPU, profiles.Block, profiles.Allocs)
	}
	o.Pairs = cmp.Or(o.Pairs, pairs)
	if o.Each == 0 {
		o.Each = DefaultExplainEach
	}
	return o, nil
}

// Explain profiles both sides by turns, and says which functions' cost differs.
func Explain(ctx context.Context, o ExplainOptions) (_ *Explained, finally error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	sides := map[string]string{sideBase: o.Sides.Base, sideNow: o.Sides.Now}
	drivers, done, err := o.start(ctx, sides)
	if err != nil {
		return nil, err
	}
	defer func() { finally = errors.Join(finally, done()) }()
	if o.Plant != (scenarios.Plant{}) {
		if _, err := drivers[sideNow].ask(ctx, request{Plant: &o.Plant}); err != nil {
			return nil, err
		}
	}
	random := rand.New(rand.NewPCG(o.Seed, 1))
	for n := 1; n <= o.Pairs; n++ {
		turns := []string{sideBase, sideNow}
		if random.IntN(2) == 1 {
			turns = []string{sideNow, sideBase}
		}
		for _, side := range turns {
			if err := o.take(ctx, drivers[side], filepath.Join(o.Dir, side), n); err != nil {
				return nil, err
			}
		}
		o.tell(n)
	}
	e := &Explained{}
	if e.BaseFiles, err = profiles.Find(filepath.Join(o.Dir, sideBase), o.Kind); err != nil {
		return nil, err
	}
	if e.NowFiles, err = profiles.Find(filepath.Join(o.Dir, sideNow), o.Kind); err != nil {
		return nil, err
	}
	e.Explanation, err = profiles.Explain(ctx, e.BaseFiles, e.NowFiles, profiles.ExplainOptions{SampleIndex: o.SampleIndex, Own: o.Own, Within: o.Within, Paired: true})
	return e, err
}

// Take profiles the base's side alone, into Dir.
func Take(ctx context.Context, o ExplainOptions) (finally error) {
	o, err := o.resolve()
	if err != nil {
		return err
	}
	drivers, done, err := o.start(ctx, map[string]string{sideBase: o.Sides.Base})
	if err != nil {
		return err
	}
	defer func() { finally = errors.Join(finally, done()) }()
	for n := 1; n <= o.Pairs; n++ {
		if err := o.take(ctx, drivers[sideBase], o.Dir, n); err != nil {
			return err
		}
		o.tell(n)
	}
	return nil
}

func (o ExplainOptions) tell(done int) {
	if o.Progress != nil {
		o.Progress(done, o.Pairs)
	}
}

// start has a fleet and a driver a side, warm. done ends them.
func (o ExplainOptions) start(ctx context.Context, sides map[string]string) (drivers map[string]*driver, done func() error, err error) {
	var closers []func() error
	end := func() (err error) {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
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
		Work: []work{{Spec: spec, Fleet: fleet.Address, Control: fleet.Control, Token: fleet.Token, CA: fleet.Authority, Machine: machine.Identity}},
	}
	drivers = map[string]*driver{}
	for side, program := range sides {
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

// take has a driver profiled for a turn.
func (o ExplainOptions) take(ctx context.Context, d *driver, dir string, n int) error {
	_, err := d.ask(ctx, request{Profile: &profileRequest{Dir: dir, Kind: o.Kind, Number: n, Nanoseconds: o.Each}})
	return err
}

// The sides' names, in errors and directories.
const (
	sideBase = checkout.Base
	sideNow  = checkout.Now
)
