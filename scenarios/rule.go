package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
)

// A rule checks several fields together, or applies a check of another package.
type rule struct {
	// fields are the field that the rule is about, and those that it is compared with. The rule is
	// skipped if one of the latter couldn't be read or is out of its own bounds. A mistake in a
	// field that isn't written out is reported at the first of the others that is.
	fields []string

	models []Model // the load models for which it holds; nil: all
	check  func(s *Spec, report reporter)
}

// A reporter reports a mistake in the field at a path.
type reporter func(path, problem, want string)

// Bounds that rules check.
const (
	maxGeneratedArtifact Bytes = 1 << 40 // an artifact made from the seed
	maxRolloutDevices          = 200_000 // devices of a rollout, which keeps a map of them
	maxRolloutRate             = 1_000_000
	minTrialOperations         = 20 // operations of a breakpoint's probe
)

func rules() []rule {
	of := func(fields ...string) []string { return fields }
	return []rule{
		{of("suite"), nil, checkSuite},
		{of("shard.index", "shard.count"), nil, checkShard},
		{of("fleet.devices", "fleet.addressing", "shard.count"), nil, checkDevices},
		{of("fleet.behavior", "fleet.addressing"), nil, checkBehavior},
		{of("fleet.groups", "fleet.addressing", "fleet.tls"), nil, checkGroups},
		{of("fleet.tls"), nil, checkFleet},
		{of("artifact.size", "artifact.file"), nil, func(s *Spec, report reporter) {
			if a := s.Artifact; a.File == "" && (a.Size < 1 || a.Size > maxGeneratedArtifact) {
				want := fmt.Sprintf("1B to %s; a larger artifact is pushed from a file", maxGeneratedArtifact)
				report("artifact.size", a.Size.String(), want)
			}
		}},
		{of("client.headers"), nil, checkHeaders},
		{of("client.command"), nil, checkCommand},
		{of("client.service", "load.model", "client.command"), nil, checkService},
		{of("load.model", "client.command"), []Model{Rollout}, func(s *Spec, report reporter) {
			if len(s.Client.Command) > 0 {
				report("load.model", string(Rollout)+": a client.command has no rollout of its own;", "another model, such as closed")
			}
		}},
		{of("load.workers"), nil, func(s *Spec, report reporter) {
			if n := s.Load.Workers; s.Load.Model == Service {
				if n != 0 {
					report("load.workers", fmt.Sprintf("%d: a service has its own", n), "it left out")
				}
			} else if n < 0 || n > MaxWorkers || n == 0 && !s.Load.IsOpen() {
				report("load.workers", fmt.Sprint(n), fmt.Sprintf("1 to %d", MaxWorkers))
			}
		}},
		{of("load.workers", "shard.count"), nil, checkShardWorkers},
		{of("load.model", "shard.count"), nil, checkShardModel},
		{of("load.drain"), []Model{ClosedLoop, Burst}, func(s *Spec, report reporter) {
			if l := s.Load; !l.Drains() && l.Drain > 0 && l.Drain <= maxDrain {
				want := "a duration (of bursts, burst.every), or no drain"
				report("load.drain", l.Drain.String()+": the load ends by itself;", want)
			}
		}},
		{of("load.ramp", "load.rate"), []Model{RampingRate}, func(s *Spec, report reporter) {
			if l := s.Load; l.Rate+l.Ramp.To <= 0 {
				report("load.ramp", fmt.Sprintf("from %s to %s", l.Rate, l.Ramp.To), "a rate above 0/s at one end")
			}
		}},
		{of("load.spike"), []Model{Spike}, func(s *Spec, report reporter) {
			if s.Load.Spike.For == 0 {
				report("load.spike.for", "0s", "how long the spike lasts, such as 5s")
			}
		}},
		{of("load.spike", "load.duration"), []Model{Spike}, func(s *Spec, report reporter) {
			if l := s.Load; l.Duration > 0 && l.Spike.At+l.Spike.For > l.Duration {
				problem := fmt.Sprintf("it begins at %s and lasts %s", l.Spike.At, l.Spike.For)
				report("load.spike", problem, "an end within load.duration, "+l.Duration.String())
			}
		}},
		{of("load.burst", "load.duration"), []Model{Burst}, func(s *Spec, report reporter) {
			if s.Load.Burst.Every == 0 && s.Load.Duration > 0 {
				report("load.burst.every", "0s: there would be one burst;", "a time between two, or no duration")
			}
		}},
		{of("load.stages"), []Model{Stages}, checkStages},
		{of("load.breakpoint", "load.rate"), []Model{Breakpoint}, checkBreakpoint},
		{of("load.operation"), []Model{Rollout}, func(s *Spec, report reporter) {
			if op := s.Load.Operation; op != delivery.OpDeliver {
				report("load.operation", string(op)+": a rollout delivers; leave it out", "")
			}
		}},
		{of("load.operation"), []Model{Service}, func(s *Spec, report reporter) {
			if op := s.Load.Operation; op != delivery.OpDeliver {
				report("load.operation", string(op)+": a service delivers; leave it out", "")
			}
		}},
		{of("load.rollout"), []Model{Rollout}, checkWaves},
		{of("load.rate"), []Model{Rollout}, func(s *Spec, report reporter) {
			if s.Load.Rate > maxRolloutRate {
				report("load.rate", s.Load.Rate.String(), Rate(maxRolloutRate).String()+" at most, or none for no limit")
			}
		}},
		{of("thresholds", "load.operation"), nil, checkThresholds},
		{of("thresholds", "load.duration", "load.stages", "load.drain", "load.rollout"), nil, checkWindows},
		{of("thresholds", "fleet.groups", "fleet.devices"), nil, checkThresholdGroups},
		{of("fleet.devices"), []Model{Rollout}, func(s *Spec, report reporter) {
			if n := s.Fleet.Devices; n > maxRolloutDevices {
				report("fleet.devices", fmt.Sprintf("%d: a rollout takes at most %d", n, maxRolloutDevices), "")
			}
		}},
		{of("slow_trace", "profiled"), nil, func(s *Spec, report reporter) {
			if s.SlowTrace > 0 && s.Profiled == 0 {
				problem := s.SlowTrace.String() + ": traces are of profiled repetitions, and there are none"
				report("slow_trace", problem, "profiled to be 1 or more")
			}
		}},
	}
}

// checkSuite reports fields that a suite must not have. A suite has members, and nothing of its
// own.
func checkSuite(s *Spec, report reporter) {
	if len(s.Suite) == 0 {
		return
	}
	bare := Default()
	bare.Name, bare.Description, bare.Suite = s.Name, s.Description, s.Suite
	if !reflect.DeepEqual(*s, bare) {
		report("suite", "a suite runs its scenarios as they are", "nothing beside it but name and description")
	}
	for i, name := range s.Suite {
		if name == "" || slices.Contains(s.Suite[:i], name) {
			report(indexPath("suite", i), fmt.Sprintf("%q", name), "each scenario once")
		}
	}
}

func checkDevices(s *Spec, report reporter) {
	if !s.Shard.IsWhole() {
		checkShardDevices(s, report)
		return
	}
	addressing, n := s.Addressing(), s.Fleet.Devices
	switch limit := addressing.Capacity(); {
	case n > limit && addressing == address.Port:
		report("fleet.devices", fmt.Sprintf("%d: addressing port holds at most %d; use ip or path addressing", n, limit), "")
	case n > limit:
		report("fleet.devices", fmt.Sprintf("%d: addressing %s holds at most %d;", n, addressing, limit),
			"fewer devices, or a shard.count for a run with agents")
	case n < 1:
		report("fleet.devices", fmt.Sprint(n), fmt.Sprintf("1 to %d", limit))
	}
}

func checkBehavior(s *Spec, report reporter) {
	cfg := mockfleet.Config{Devices: 1, Addressing: s.Addressing(), Behavior: s.Fleet.Behavior}
	reportFleet(cfg, "fleet.behavior.", report, "")
}

func checkGroups(s *Spec, report reporter) {
	reportFleet(s.withoutBehavior(), "fleet.", report, "groups")
}

func checkFleet(s *Spec, report reporter) {
	reportFleet(s.withoutBehavior(), "fleet.", report, "tls", "capacity")
}

func (s Spec) withoutBehavior() mockfleet.Config {
	cfg := s.FleetConfig()
	cfg.Devices, cfg.Shard = min(max(cfg.Devices, 1), cfg.Addressing.Capacity()*max(1, s.Shard.Count)), address.Shard{}
	cfg.Behavior = behavior.Behavior{}
	return cfg
}

// reportFleet reports the mistakes that mockfleet finds in cfg, if their fields begin with one of
// the prefixes.
func reportFleet(cfg mockfleet.Config, path string, report reporter, prefixes ...string) {
	for _, e := range SplitErrors(cfg.Validate()) {
		of, ok := errors.AsType[*mockfleet.ConfigError](e)
		if !ok {
			report(strings.TrimSuffix(path, "."), yamlnode.OneLine(e.Error()), "")
		} else if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(of.Field, p) }) {
			report(path+of.Field, of.Value, of.Want)
		}
	}
}

// checkHeaders reports headers that can't be sent, and secrets that are written in the file.
func checkHeaders(s *Spec, report reporter) {
	for i, h := range s.Client.Headers {
		field := indexPath(headersField, i)
		switch {
		case h.Name == "":
			report(field+".name", "is empty", "a field's name, such as X-Tenant")
			continue
		case (h.Value == "") == (h.Env == ""):
			report(field, h.Name, "either a value, or the name of an environment variable that holds it")
		case h.Value != "" && isSecretName(h.Name):
			report(field+".value", "(not shown): "+h.Name+" is a secret", "env: VARIABLE instead, so that it is written nowhere")
		}
		alone := delivery.Config{Header: http.Header{h.Name: {h.Value}}}
		for _, e := range SplitErrors(alone.Validate()) {
			w := wrongOf(e)
			report(field, strings.TrimPrefix(w.Problem, "delivery: "), w.Want)
		}
	}
}

// checkCommand reports a command that can't be started, and fields that need one.
func checkCommand(s *Spec, report reporter) {
	c := s.Client
	for i, word := range c.Command {
		switch path := indexPath("client.command", i); {
		case i == 0 && strings.TrimSpace(word) == "":
			report(path, "is empty", "a program, such as python3 or ./push.sh")
		case strings.ContainsRune(word, 0):
			report(path, strconv.Quote(word), "text without a NUL character")
		}
	}
	if len(c.Command) == 0 {
		for _, of := range []struct {
			key string
			set bool
		}{
			{"directory", c.Directory != ""}, {"processes", c.Processes != 0}, {"concurrency", c.Concurrency != 0},
			{"deadline", c.Deadline != 0}, {"pprof", c.Pprof != ""},
		} {
			if of.set {
				report("client."+of.key, "there is no client.command that it is for",
					"a command, such as [python3, push.py], or no "+of.key)
			}
		}
	}
	if c.Pprof == "" {
		return
	}
	if c.tellsAddresses() {
		report("client.pprof", strconv.Quote(yamlnode.Clip(c.Pprof))+": the command tells each process an address of its own",
			"no pprof, or no "+PprofPlaceholder+" in client.command")
	}
	switch u, err := url.Parse(c.Pprof); {
	case strings.Contains(c.Pprof, "@"):
		report("client.pprof", "(not shown): it holds a user or a password", "http://HOST:PORT/debug/pprof")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		report("client.pprof", strconv.Quote(yamlnode.Clip(c.Pprof)), "http://HOST:PORT/debug/pprof")
	}
}

func checkStages(s *Spec, report reporter) {
	stages := s.Load.Stages
	if n := len(stages); n == 0 || n > maxStages {
		want := fmt.Sprintf("1 to %d, such as [{rate: 100/s, for: 10s}]", maxStages)
		report("load.stages", fmt.Sprintf("%d of them", n), want)
		return
	}
	for i, stage := range stages {
		if stage.For <= 0 {
			report(indexPath("load.stages", i)+".for", stage.For.String(), "how long the stage lasts, such as 10s")
		}
	}
	moves := func(s StageSpec) bool { return s.Rate > 0 || s.To != nil && *s.To > 0 }
	if !slices.ContainsFunc(stages, moves) {
		report("load.stages", "no stage has a rate above 0/s", "")
	}
}

func checkBreakpoint(s *Spec, report reporter) {
	b, from := s.Load.Breakpoint, s.Load.Rate
	if b.To <= from {
		report("load.breakpoint.to", b.To.String(), "the highest rate to try, above load.rate, "+from.String())
	}
	probe := cmp.Or(b.TrialDuration, defaultTrialDuration)
	if n := float64(from) * probe.Std().Seconds(); from > 0 && n < minTrialOperations {
		want := fmt.Sprintf("%d at least, so longer, or a higher load.rate", minTrialOperations)
		report("load.breakpoint.probe", fmt.Sprintf("%s at %s are %.3g operations", probe, from, n), want)
	}
}

func checkWaves(s *Spec, report reporter) {
	before := random.Share(0)
	for i, w := range s.Load.Rollout.Waves {
		if w.Share <= before {
			want := fmt.Sprintf("more than %v, which has been reached before it, and 1 at most", float64(before))
			report(indexPath("load.rollout.waves", i)+".share", fmt.Sprint(float64(w.Share)), want)
		}
		before = max(before, w.Share)
	}
}

// checkThresholdGroups reports thresholds about groups that the fleet doesn't have.
func checkThresholdGroups(s *Spec, report reporter) {
	for i, t := range s.Thresholds {
		if t.Group == "" {
			continue
		}
		path, problem := indexPath("thresholds", i), fmt.Sprintf("%q: group %q", t.text, t.Group)
		if len(s.Fleet.Groups) == 0 {
			report(path, problem+": the fleet has no groups;", "fleet.groups, or a threshold without {group="+t.Group+"}")
			continue
		}
		if names := s.FleetConfig().Membership().Names(); !slices.Contains(names, t.Group) {
			report(path, problem+didYouMean(t.Group, names)+";", "one of "+strings.Join(names, ", "))
		}
	}
}

// checkThresholds reports thresholds on metrics that the scenario doesn't produce.
func checkThresholds(s *Spec, report reporter) {
	for i, t := range s.Thresholds {
		path := indexPath("thresholds", i)
		bad := func(format string, args ...any) {
			report(path, fmt.Sprintf("%q: ", t.text)+fmt.Sprintf(format, args...), "")
		}
		scope, ofService := t.metric().Scope, s.Load.Model == Service
		switch {
		case t.text == "":
			report(path, "is empty", thresholdSyntax)
		case t.op != "" && !slices.Contains(s.Load.Operations(), t.op):
			bad("a load of %s has no operation %s", s.Load.Operation, t.op)
		case t.op != "" && t.op != s.Load.Operation && scope != results.PerOperation:
			bad("%s is of the whole load: leave {op=%s} out", t.Unit, t.op)
		case t.Min > 0 && results.WantedOperations(t.Unit) == 0:
			bad("%s is no percentile: leave min=%d out", t.Unit, t.Min)
		case scope == results.WholeRollout && s.Load.Model != Rollout:
			report(path, fmt.Sprintf("%q: %s is of a rollout", t.text, t.Unit), "load.model: rollout, or failed/device")
		case scope == results.WholeService && !ofService:
			report(path, fmt.Sprintf("%q: %s is of a service", t.text, t.Unit), "client.service, or another metric, such as p99-ns/op")
		case ofService && !ofServiceLoad(t.metric()):
			report(path, fmt.Sprintf("%q: nobody knows %s of a service, since its requests aren't sent from here", t.text, t.Unit),
				results.UnitToUpdatedP99+", or another metric of a service")
		case ofService && t.Window > 0 && t.Unit != results.UnitRate && t.Unit != results.UnitThroughput:
			bad("in windows, a service has only %s and %s", results.UnitRate, results.UnitThroughput)
		case t.Unit == results.UnitThroughput && s.Load.Operation == delivery.OpVerify:
			bad("a verification pushes nothing")
		}
	}
}
