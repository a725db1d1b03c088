package abtest

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
)

// processTurn is how long a turn lasts with a client in processes of its own, which serve profiles
// of whole seconds. minPairs is how many pairs suffice to show that a change isn't chance.
const (
	processTurn = time.Second
	minPairs    = 8
)

// turns returns how many pairs of profiles are taken of a kind, and how long each is, if the options
// don't say.
func (o profileOptions) turns() (pairs int, each time.Duration) {
	pairs, each = explain.PairCount(o.Kind), turnTime
	if o.Kind == profiles.Allocs {
		each = allocsTurn
	}
	if len(o.Spec.Client.Command) > 0 {
		pairs, each = max(minPairs, pairs*int(turnTime/time.Millisecond)/int(processTurn/time.Millisecond)), processTurn
	}
	if o.Pairs > 0 {
		pairs = o.Pairs
	}
	if o.Each > 0 {
		each = o.Each
	}
	return pairs, each
}

// unprofiled returns why the functions of a client in processes of its own, or of a service, can't be
// named, or nil if they can.
func unprofiled(c scenarios.ClientSpec) error {
	if v := c.Service; !v.IsZero() {
		name := process.Name(v.Program())
		if v.Pprof == "" {
			return fmt.Errorf("no function of %s can be named, since it serves no profiles: want client.service.pprof", name)
		}
		return fmt.Errorf("no function of %s is named, since the gate takes no profiles of a service: "+
			"run both with --profiled 8, and `fleetmark profile explain` the runs", name)
	}
	if len(c.Command) == 0 {
		return nil
	}
	name := process.Name(c.Command)
	switch {
	case !c.ServesProfiles():
		return fmt.Errorf("no function of %s can be named, since it serves no profiles: "+
			"{pprof} in client.command tells each process an address for them, if it can", name)
	case c.Pprof != "" && c.WithProcessDefaults().Processes > 1:
		return fmt.Errorf("no function of %s can be named, since client.pprof is the address of one of %d processes: "+
			"{pprof} in client.command tells each an address of its own", name, c.Processes)
	}
	return nil
}

// processFunctions returns prefixes of the names of the functions of a client in processes of its
// own: those of its program's package main and, if the program tells, of its module.
func processFunctions(c scenarios.ClientSpec) []string {
	own := []string{"main."}
	program := c.Command[0]
	switch {
	case filepath.IsAbs(program):
	case strings.ContainsRune(program, filepath.Separator):
		program = filepath.Join(c.Directory, program)
	default:
		found, err := exec.LookPath(program)
		if err != nil {
			return own
		}
		program = found
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil || info.Main.Path == "" {
		return own
	}
	return append(own, info.Main.Path+".", info.Main.Path+"/")
}

// divideRegressions says what is known without profiles of the regressed metrics of a scenario whose
// client is in processes of its own: how much of a longer time is processor time of the processes,
// and which of the other metrics got worse. It returns "" if nothing of the scenario regressed.
func divideRegressions(j *judge.Judgement, scenario string) string {
	var parts []string
	for _, row := range j.Rows {
		if row.Scenario != scenario || row.Verdict != results.Regressed {
			continue
		}
		switch u := row.Unit; {
		case u.Name == results.UnitMean:
			parts = append(parts, row.Op+" "+divideTime(j, row))
		case u.Class == results.ClassTime || u.Class == results.ClassRate || u.Class == results.ClassCPU:
			// The mean and its parts say as much, unless it is alone.
			if !regressedMean(j, row) {
				parts = append(parts, change(row))
			}
		default:
			parts = append(parts, change(row))
		}
	}
	return strings.Join(parts, "; ")
}

// regressedMean reports whether the mean time of a row's operation regressed.
func regressedMean(j *judge.Judgement, row judge.Row) bool {
	mean := find(j, row, results.UnitMean)
	return mean != nil && mean.Verdict == results.Regressed
}

// find returns the row of another metric of a row's operation, or nil if there is none.
func find(j *judge.Judgement, row judge.Row, unit string) *judge.Row {
	at := slices.IndexFunc(j.Rows, func(r judge.Row) bool {
		return r.Scenario == row.Scenario && r.Op == row.Op && r.Unit.Name == unit
	})
	if at < 0 {
		return nil
	}
	return &j.Rows[at]
}

// change says how a metric changed, such as "push requests/device: 2 before, 3 now".
func change(row judge.Row) string {
	if row.Base == nil || row.Now == nil {
		return fmt.Sprintf("%s %s", row.Op, row.Unit.Name)
	}
	return fmt.Sprintf("%s %s: %s before, %s now", row.Op, row.Unit.Name,
		results.FormatValue(row.Base.Median, row.Unit.Name), results.FormatValue(row.Now.Median, row.Unit.Name))
}

// divideTime divides what an operation takes longer into processor time of the client's processes
// and the rest.
func divideTime(j *judge.Judgement, row judge.Row) string {
	extra, ok := difference(&row)
	if !ok {
		return "takes longer"
	}
	text := "takes " + results.Duration.Format(extra) + " longer"
	work, ok := difference(find(j, row, results.UnitCPU))
	if !ok {
		return text
	}
	if work = min(max(work, 0), extra); work < extra/100 {
		return text + ", none of it processor time of its processes: " +
			"it waits longer, for devices, for another process or asleep"
	}
	return fmt.Sprintf("%s, of which processor time of its processes is %s (%.0f%%), and waits are the rest",
		text, results.Duration.Format(work), 100*work/extra)
}

// difference returns by how much a metric changed, from pairs if there are any.
func difference(row *judge.Row) (delta float64, ok bool) {
	switch {
	case row == nil || row.Base == nil:
		return 0, false
	case row.Ratio != nil:
		return row.Base.Median * (row.Ratio.Estimate - 1), true
	case row.Now != nil:
		return row.Now.Median - row.Base.Median, true
	}
	return 0, false
}

// explainUnprofiled returns errors that say what is known of the regressions of scenarios whose
// client can't be profiled, and the other scenarios.
func explainUnprofiled(j *judge.Judgement, specs []scenarios.Spec) (rest []scenarios.Spec, err error) {
	for _, s := range specs {
		why := unprofiled(s.Client)
		if why == nil {
			rest = append(rest, s)
		} else if known := whatIsKnown(j, s); known != "" {
			err = errors.Join(err, fmt.Errorf("%s: %w%s", s.Name, why, known))
		}
	}
	return rest, err
}

// whatIsKnown returns what is known without profiles of the regressions of a scenario whose client is
// in processes of its own, or a service, as a clause. It returns "" for any other client.
func whatIsKnown(j *judge.Judgement, s scenarios.Spec) string {
	if known := divideRegressions(j, s.Name); s.Client.IsOutside() && known != "" {
		return "; what is known: " + known
	}
	return ""
}

// noWaits is the error for a profile of waits that shows none in the client.
func noWaits(c scenarios.ClientSpec) error {
	who := "nobody waits for anybody in the client"
	if len(c.Command) > 0 {
		who += ", or it doesn't count waits (runtime.SetBlockProfileRate)"
	}
	return errors.New(who + ": a sleep, or an answer that comes late, is in no profile")
}

// functions returns the prefixes of the functions that may be the cause of a regression, and of those
// whose waits count.
func (n profileNeed) functions(o Options) (own, client []string, err error) {
	now, err := o.Builds.Now.adapt(n.spec)
	switch {
	case err != nil:
		return nil, nil, err
	case len(now.Client.Command) > 0:
		own = append(processFunctions(now.Client), o.Own...)
		return own, own, nil
	case o.Own == nil:
		return OwnFunctions(), deliveryFunctions(), nil
	case o.Within == nil:
		return slices.Clone(o.Own), o.Own, nil
	}
	return slices.Clone(o.Own), o.Within, nil
}
