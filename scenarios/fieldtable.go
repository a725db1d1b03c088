package scenarios

import (
	"math"
	"reflect"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Bounds. Those of the client and of rollouts are package delivery's, those of behavior
// mockfleet's; tests hold that they are the same.
const (
	maxSuite       = 100
	maxRepetitions = 10_000
	maxWarmup      = 1000
	MaxWorkers     = 65536
	maxDrain       = Duration(24 * time.Hour)
	maxStages      = 64
	maxBurst       = 1 << 24 // as many devices as there can be

	MaxTimeout  = Duration(24 * time.Hour)
	MaxAttempts = 1000
	maxIdle     = 1 << 20
	maxHeaders  = 64

	maxWaves        = 100
	maxSoak         = Duration(30 * 24 * time.Hour)
	maxAbortMinimum = 1 << 20
	maxTurns        = 1000

	MinTrialDuration     = Duration(100 * time.Millisecond)
	minTolerance         = 0.001
	maxTolerance         = 0.5
	defaultTrialDuration = Duration(3 * time.Second)
	defaultTolerance     = 0.05
)

// fieldTable returns the fields of each Go struct that is a mapping in a file, in the struct's
// order. It is a table beside the structs rather than tags on them, because bounds are constants,
// which no tag can hold, and because mockfleet's structs are to know nothing of schemas.
func fieldTable() map[reflect.Type]section {
	timeout := func(key, doc string) Field {
		want := "0s, for the client's default, to " + MaxTimeout.String()
		return Field{Key: key, Doc: doc, Max: float64(MaxTimeout), Want: want}
	}
	delay := func(key, doc string) Field { return Field{Key: key, Doc: doc, Max: float64(random.MaxDuration)} }
	kinds := fault.Names()
	return map[reflect.Type]section{
		reflect.TypeFor[Spec](): {"Spec", []Field{
			{Key: "name", Example: "nightly", Pattern: `^[a-z0-9][a-z0-9-]{0,63}$`,
				Want:     "1 to 64 lower-case letters, digits and dashes",
				Required: true, OutsideWorkload: true,
				Doc: "Its name: 1 to 64 lower-case letters, digits and dashes. It becomes part of benchmark names."},
			{Key: "description", Example: "Does a night with every fault end well?", OutsideWorkload: true,
				Doc: "The question that the scenario answers, in a line."},
			{Key: "suite", Example: "[push, verify]", Max: maxSuite, Noun: "scenarios",
				Doc: "Scenarios that are run instead, one after another: names of the catalogue, or files by their paths from " +
					"here; {max} at most. A suite has nothing else but name and description."},
			{Key: "fleet", Doc: "Which devices there are, and how they behave."},
			{Key: "artifact", Doc: "What is pushed."},
			{Key: "client", Doc: "How the production client is configured."},
			{Key: "load", Doc: "Who asks for what, when."},
			{Key: "thresholds", Example: "[failed/device == 0, p99-ns/op < 20ms]", OutsideWorkload: true,
				Doc: "What must hold, or the run fails with exit code 1: METRIC < LIMIT, a metric as in samples.txt. Left out " +
					"of a metric, the operation is the load's own."},
			{Key: "repetitions", Min: 1, Max: maxRepetitions, OutsideWorkload: true,
				Flag: "repeat", Usage: "timed repetitions",
				Doc: "Repetitions that are timed and recorded, each a sample: 1 to {max}."},
			{Key: "warmup", Max: maxWarmup, OutsideWorkload: true,
				Flag: "warmup", Usage: "repetitions before them that aren't recorded",
				Doc: "Repetitions before them that are thrown away: 0 to {max}."},
			{Key: "profiled", Max: maxWarmup, OutsideWorkload: true,
				Flag: "profiled", Usage: "repetitions after them that are profiled and not timed",
				Doc: "Repetitions after them that give profiles and no times: 0 to {max}."},
			{Key: "slow_trace", Max: float64(MaxTimeout), Want: "0s (none) to " + MaxTimeout.String(), OutsideWorkload: true,
				Doc: "An operation of a profiled repetition that takes longer leaves an execution trace of the second before " +
					"its end, 4 a repetition at most. 0s: none does."},
			{Key: "seed", Example: "42",
				Flag: "seed", Usage: "of the artifact, the devices' behaviour and the retries",
				Doc: "Of the artifact, the devices' behaviour and the retries' jitter. The same seed replays the same faults."},
		}},

		reflect.TypeFor[FleetSpec](): {"FleetSpec", []Field{
			{Key: "devices", Min: 1, Max: float64(address.Path.Capacity()), ByRule: true,
				Flag: "devices", Usage: "how many devices",
				Doc: "How many devices: 1 to {max}, in port addressing to 5000."},
			{Key: "addressing",
				Flag: "addressing", Usage: "how a device is told from another: ip, port or path (default ip on Linux, else path)",
				Doc: "How a device is told from another: ip (an address each, Linux only), port (a port each) or path " +
					"(/d/INDEX, all on one port). Empty: ip on Linux, path elsewhere."},
			{Key: "behavior", ByRule: true, Doc: "How the devices behave that are in no group."},
			{Key: "groups", Max: 64, ByRule: true,
				Doc: "Parts of the fleet that behave otherwise, {max} at most; their shares come to 1 at most."},
			{Key: "capacity", ByRule: true,
				Doc: "Updates that all devices together answer in a time, 1000000/s at most; further ones wait their turn. 0/s: " +
					"no limit."},
			{Key: "tls", ByRule: true, Doc: "How devices speak TLS. Empty: not at all."},
		}},

		reflect.TypeFor[ArtifactSpec](): {"ArtifactSpec", []Field{
			{Key: "size", Min: 1,
				Flag: "size", Usage: "push this much made from the seed, such as 64KiB",
				Doc: "Of the artifact that is made from the seed: 1B to 1TiB. Not used with a file."},
			{Key: "file", Example: "firmware.bin", OutsideWorkload: true, Flag: "artifact", Usage: "push this file",
				Doc: "A real file to push instead."},
			{Key: "version", Example: "2.4.1", OutsideWorkload: true,
				Doc: "The version that it brings. Empty: the harness chooses."},
		}},

		reflect.TypeFor[ClientSpec](): {"ClientSpec", []Field{
			{Key: "transport",
				Flag: "transport", Usage: "lean or nethttp",
				Doc: "lean: the client's own over bare connections; nethttp: package net/http."},
			timeout("dial_timeout", "For opening a connection, {max} at most. 0s: the client's default."),
			timeout("answer_timeout", "From a request's end to its answer, {max} at most. 0s: the client's default."),
			timeout("total_timeout", "For a request as a whole, {max} at most. 0s: the client's default."),
			{Key: "max_attempts", Example: "5", Max: MaxAttempts,
				Doc: "How often an update is pushed to a device in one delivery: 1 to {max}. 0: the client's default."},
			timeout("retry_base", "The widest first wait before a retry, {max} at most. 0s: the client's default."),
			timeout("retry_cap", "The widest wait before any retry, {max} at most. 0s: the client's default."),
			{Key: "max_idle", Example: "1024", Max: maxIdle,
				Doc: "Kept-alive connections that no operation uses: 1 to {max}. 0: the client's default."},
			{Key: "good_reads", Example: "3", Max: MaxAttempts,
				Doc: "Answers in a row that must say that a device runs the update before a delivery counts: 1 to {max}. 0: the " +
					"client's default."},
			timeout("poll", "Between two looks at a device that installs or reboots, {max} at most. 0s: the client's default."),
			timeout("poll_for",
				"How long such a device is looked at before the delivery ends as pending, {max} at most. 0s: the client's "+
					"default."),
			{Key: "defaults", Want: "shipped, or nothing",
				Doc: "shipped: the retry budget and the breaker as the client has them by default. Empty: neither, so that how " +
					"often a device is tried depends on the seed alone."},
			{Key: "headers", Max: maxHeaders, Doc: "Header fields that are sent with every request, {max} at most."},
			{Key: "ca", Example: "fleet-ca.pem",
				Doc: "A file in PEM: whom to trust for devices' certificates. Empty: the fleet's own authority, or else the " +
					"system's."},
		}},
		reflect.TypeFor[Header](): {"Header", []Field{
			{Key: "name", Example: "X-Device-Token", Pattern: tokenPattern, Required: true,
				Doc: "The field's name. Those that the client sets itself can't be had."},
			{Key: "value", Example: "staging", Secret: true, Doc: "Its value, where that is no secret."},
			{Key: "env", Example: "DEVICE_TOKEN",
				Doc: "The environment variable that holds the value, which is then written nowhere."},
		}},

		reflect.TypeFor[LoadSpec](): {"LoadSpec", []Field{
			{Key: "model",
				Doc: "How load comes. closed and once: workers wait for the answers. The others are open: operations are " +
					"planned, whatever the answers."},
			{Key: "operation", Doc: "What is done with a device: push; verify; or deliver, which is both, with retries."},
			{Key: "workers", Example: "64", Min: noMin, Max: MaxWorkers, ByRule: true,
				Flag: "workers", Usage: "operations at the same time, at most (0, of an open model: as many as it takes)",
				Doc: "Operations at the same time, at most: 1 to {max}. Left out, or 0, in an open model: as many as it takes, " +
					"4096 at most. Left out of the others: 32."},
			{Key: "rate", Models: []Model{ConstantRate, Poisson, RampingRate, Spike, Breakpoint, Rollout},
				NeededBy: []Model{ConstantRate, Poisson, Spike, Breakpoint}, Wants: "wants a rate such as 100/s",
				Flag: "rate", Usage: "operations per second planned, such as 500/s, whatever the answers (an open model)",
				Doc: "Of constant, poisson, spike and breakpoint: operations begun per s, m or h. Of ramp: where it begins."},
			{Key: "duration", Models: []Model{ClosedLoop, ConstantRate, Poisson, RampingRate, Spike, Burst},
				NeededBy: []Model{RampingRate, Spike}, Wants: "wants to know how long, such as 30s",
				Instead: map[Model]Wrong{
					Once:       {"the once model ends when every device had the operation;", "model: closed, or no duration"},
					Stages:     {"the stages say how long; leave it out", ""},
					Rollout:    {"a rollout ends when it is through; leave it out", ""},
					Breakpoint: {"a search ends when it has found what it searches;", "breakpoint.probe instead"},
				},
				Flag: "duration", Usage: "how long a repetition lasts, such as 5s (0s: each device once)",
				Doc: "How long a repetition lasts. 0s: until every device had the operation once."},
			{Key: "drain", Max: float64(maxDrain), Want: maxDrain.String() + " at most, or 0s for " + defaultDrain.String(),
				Models: []Model{ClosedLoop, ConstantRate, Poisson, RampingRate, Stages, Spike, Burst, Breakpoint},
				Doc: "How long after the plan's end operations may be sent and may end, {max} at most; what is under way then " +
					"is broken off. 0s: an open load that is certain to be invalid sends no more, and what is under way has 30s."},
			{Key: "think", Max: float64(random.MaxDuration), Models: []Model{ClosedLoop, Once},
				Doc: "Of closed and once: how long a worker waits after each operation, {max} at most."},
			{Key: "arrivals", Models: []Model{RampingRate, Spike, Stages},
				Doc: "Of ramp, spike and stages: even, or poisson, as callers come that know nothing of each other. Empty: even."},
			{Key: "ramp", Models: []Model{RampingRate}, NeededBy: []Model{RampingRate},
				Doc: "Of model ramp: where the rate goes, evenly, over the duration."},
			{Key: "spike", Models: []Model{Spike}, NeededBy: []Model{Spike}, Doc: "Of model spike: a while at another rate."},
			{Key: "burst", Models: []Model{Burst}, NeededBy: []Model{Burst}, Doc: "Of model burst: many operations at once."},
			{Key: "stages", Max: maxStages, ByRule: true, Models: []Model{Stages}, NeededBy: []Model{Stages},
				Doc: "Of model stages: one rate after another, 1 to {max}."},
			{Key: "breakpoint", Models: []Model{Breakpoint}, NeededBy: []Model{Breakpoint},
				Doc: "Of model breakpoint: a search from the load's rate upwards."},
			{Key: "rollout", Models: []Model{Rollout}, Doc: "Of model rollout: waves, and when to stop."},
		}},
		reflect.TypeFor[RampSpec](): {"Ramp", []Field{
			{Key: "to", Doc: "The rate at its end; may be 0/s."},
		}},
		reflect.TypeFor[SpikeSpec](): {"Spike", []Field{
			{Key: "rate", Doc: "The rate while it lasts; may be 0/s."},
			{Key: "at", Doc: "When it begins, from the beginning of the load."},
			{Key: "for", NeededBy: []Model{Spike}, Doc: "How long it lasts; it ends within the load's duration."},
		}},
		reflect.TypeFor[BurstSpec](): {"Burst", []Field{
			{Key: "size", Example: "500", Min: 1, Max: maxBurst, NeededBy: []Model{Burst},
				Doc: "Operations in a burst: 1 to {max}."},
			{Key: "every", Doc: "From one burst to the next. 0s: there is one."},
		}},
		reflect.TypeFor[StageSpec](): {"Stage", []Field{
			{Key: "rate", Doc: "The rate at its beginning; may be 0/s."},
			{Key: "to", Doc: "The rate at its end. Left out: the same."},
			{Key: "for", Required: true, Doc: "How long it lasts."},
		}},
		reflect.TypeFor[BreakpointSpec](): {"Breakpoint", []Field{
			{Key: "to", NeededBy: []Model{Breakpoint}, Doc: "The highest rate that is tried."},
			{Key: "probe", Min: float64(MinTrialDuration), OrZero: true,
				Want: MinTrialDuration.String() + " or longer, or 0s for " + defaultTrialDuration.String(),
				Doc:  "How long each rate is tried, 100ms or longer. 0s: 3s."},
			{Key: "within", Min: minTolerance, Max: maxTolerance, OrZero: true, Want: "0.001 to 0.5, or 0 for 0.05",
				Doc: "How exactly the limit is wanted, of itself: 0.1% to 50%. 0: 5%."},
		}},
		reflect.TypeFor[RolloutSpec](): {"RolloutSpec", []Field{
			{Key: "waves", Max: maxWaves, Doc: "Steps of the rollout, {max} at most. Left out: one wave of everything."},
			{Key: "abort_share", Doc: "Of a wave's finished devices: where so many have failed, the rollout stops. 0: never."},
			{Key: "abort_least", Example: "20", Max: maxAbortMinimum,
				Doc: "Devices of a wave that must have finished before they are judged in its course: 1 to {max}. 0: the " +
					"client's default."},
			{Key: "requeue", Doc: "Further turns of devices that failed in a way that time may heal."},
		}},
		reflect.TypeFor[RequeueSpec](): {"RequeueSpec", []Field{
			{Key: "turns", Example: "3", Min: -1, Max: maxTurns,
				Doc: "How many a device has, to {max}. 0: the client's default; -1: none."},
			timeout("after",
				"The wait before the first of them, doubled before each further one, {max} at most. 0s: the client's default."),
		}},
		reflect.TypeFor[WaveSpec](): {"WaveSpec", []Field{
			{Key: "share", Above: true, Required: true,
				Doc: "Of the fleet, reached when the wave is over: more than the wave before."},
			{Key: "soak", Max: float64(maxSoak), Want: maxSoak.String() + " at most", Doc: "The wait after it, {max} at most."},
		}},

		reflect.TypeFor[behavior.Group](): {"Group", []Field{
			{Key: "name", Example: "slow", Pattern: `^[a-z0-9][a-z0-9-]{0,31}$`,
				Forbidden: []any{behavior.AllGroups, behavior.RestGroup},
				Required:  true,
				Doc: "Its name, which no other group has: 1 to 32 lower-case letters, digits and dashes; not all and " +
					"not rest."},
			{Key: "share", Above: true, Required: true, Doc: "Of all devices, above 0."},
			{Key: "behavior", Doc: "Of its devices, instead of the fleet's."},
			{Key: "tls", Doc: "How its devices speak TLS, where the fleet does. Empty: as the fleet. Not in path addressing."},
		}},
		reflect.TypeFor[behavior.Behavior](): {"Behavior", []Field{
			delay("latency", "From an update's last byte to its answer, {max} at most."),
			{Key: "fail_first", Example: "2", Max: math.MaxInt32,
				Doc: "How many updates, from the first that reaches a device, it answers fail_status and does not apply."},
			{Key: "fail_status", Example: "500", Min: 400, Max: 599, OrZero: true,
				Doc: "That HTTP status, 400 to {max}. 0: 503."},
			{Key: "faults", Max: 32, Doc: "Further ways to misbehave, {max} at most; docs/reference/faults.md has them all."},
			{Key: "require", Max: 8, Doc: "Header fields without which a device refuses an update with 400, {max} at most."},
			{Key: "life", Doc: "What a device goes through after it took an update."},
			{Key: "network", Doc: "What lies between a device and its clients."},
		}},
		reflect.TypeFor[behavior.HeaderField](): {"HeaderField", []Field{
			{Key: "name", Example: "X-Device-Token", Pattern: tokenPattern, Required: true, Doc: "The field's name."},
			{Key: "value", Example: "staging", Doc: "The value that it must have. Empty: any."},
		}},
		reflect.TypeFor[behavior.InstallTimes](): {"Life", []Field{
			delay("install",
				"How long a device installs, {max} at most: it answers the update 202 and others 409, and shows what it ran "+
					"before."),
			delay("reboot", "How long it then can't be reached, {max} at most."),
		}},
		reflect.TypeFor[behavior.Network](): {"Network", []Field{
			delay("rtt", "How much later every answer leaves, {max} at most."),
			{Key: "bandwidth", Doc: "Bytes a second that a device reads of a body, such as 20kB/s. 0: as they come."},
			{Key: "receive_buffer", Example: "4096", Min: 1024, Max: 16 << 20, OrZero: true,
				Doc: "Of the socket, in bytes: 1024 to {max}. 0: the kernel's choice."},
			{Key: "max_connections", Example: "4", Max: 1<<16 - 1,
				Doc: "Connections that a device has open at a time, 1 to {max}; further ones are reset. 0: no limit. Not in " +
					"path addressing."},
			{Key: "max_requests", Example: "100", Max: 1 << 30,
				Doc: "Requests on a connection before the device closes it: 1 to {max}. 0: no limit."},
			{Key: "http_1_0", Doc: "The device answers HTTP/1.0 and closes."},
		}},
		reflect.TypeFor[fault.Fault](): {"Fault", []Field{
			{Key: "kind", Words: kinds, Required: true, Doc: "Which fault; docs/reference/faults.md says what each does and takes."},
			{Key: "on", Words: []string{"", "update", "version"},
				Doc: "Of a fault in answers: those to updates, or those to looks at the version. Empty: update."},
			{Key: "first", Example: "2", Max: math.MaxInt32, Doc: "Strikes only the first so many attempts. 0: all."},
			{Key: "share", Doc: "Strikes this share of the devices. 0: all."},
			{Key: "after_bytes", Doc: "Bytes of the artifact that come in first."},
			{Key: "rate", Doc: "Bytes a second."},
			delay("delay", "How long it waits, hangs or lasts, {max} at most; each kind says which."),
			{Key: "status", Example: "503", Min: noMin, Doc: "HTTP status to answer. 0: the kind's own."},
			{Key: "retry_after", Doc: "The Retry-After field with that status: in seconds, or as a date. 1h at most."},
			{Key: "origin", Words: []string{"", "same", "other"},
				Doc: "Where a redirect leads: to the same origin or another. Empty: same."},
		}},
	}
}
