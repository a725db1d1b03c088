package scenarios

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Bounds. Those of the client and of rollouts are the same as in package delivery, and those of
// behavior as in mockfleet; tests compare them.
const (
	maxSuite       = 100
	maxRepetitions = 10_000
	maxWarmup      = 1000
	MaxWorkers     = 65536
	maxDrain       = Duration(24 * time.Hour)
	maxMaxSkew     = Duration(time.Minute)
	maxStages      = 64
	maxBurst       = 1 << 24 // the most devices that a fleet can have

	MaxTimeout  = Duration(24 * time.Hour)
	MaxAttempts = 1000
	maxIdle     = 1 << 20
	maxHeaders  = 64

	maxCommand      = 100
	MaxProcesses    = 1024
	MaxConcurrency  = 1024
	defaultDeadline = Duration(time.Minute)

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
// order. It is a table rather than struct tags because bounds are constants, which a tag can't
// hold, and because mockfleet's structs must not depend on schemas.
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
				Doc: "Scenarios that are run instead, one after another: names of the catalog, or files by their paths from " +
					"here; {max} at most. A suite has nothing else but name and description."},
			{Key: "fleet", Doc: "Which devices there are, and how they behave."},
			{Key: "artifact", Doc: "What is pushed."},
			{Key: "client", Doc: "How the production client is configured."},
			{Key: "load", Doc: "Who asks for what, when."},
			{Key: "thresholds", Example: "[failed/device == 0, p99-ns/op < 20ms]", OutsideWorkload: true,
				Doc: "What must hold; otherwise the run fails with exit code 1: METRIC < LIMIT, with a metric of samples.txt. " +
					"Without op=, it is about the load's own operation. An item may be a mapping with these keys: " +
					"threshold, abort."},
			{Key: "repetitions", Min: 1, Max: maxRepetitions, OutsideWorkload: true,
				Flag: "repeat", Usage: "timed repetitions",
				Doc: "Repetitions that are timed and recorded, each a sample: 1 to {max}."},
			{Key: "warmup", Max: maxWarmup, OutsideWorkload: true,
				Flag: "warmup", Usage: "repetitions before the timed ones, which aren't recorded",
				Doc: "Repetitions before the timed ones, which are discarded: 0 to {max}."},
			{Key: "profiled", Max: maxWarmup, OutsideWorkload: true,
				Flag: "profiled", Usage: "repetitions after the timed ones, which are profiled instead",
				Doc: "Repetitions after the timed ones, which give profiles and no times: 0 to {max}."},
			{Key: "slow_trace", Max: float64(MaxTimeout), Want: "0s (none) to " + MaxTimeout.String(), OutsideWorkload: true,
				Doc: "If an operation of a profiled repetition takes longer, an execution trace of the second before its end " +
					"is kept, at most 4 a repetition. 0s: no traces."},
			{Key: "seed", Example: "42",
				Flag: "seed", Usage: "seed of the artifact, the devices' behavior and the retries",
				Doc: "Seed of the artifact, the devices' behavior and the retries' jitter. The same seed replays the same faults."},
			{Key: "shard",
				Doc: "The part of the devices and of the planned operations that a run does, if several do all of them " +
					"together. Left out: all."},
		}},

		reflect.TypeFor[ShardSpec](): {"Shard", []Field{
			{Key: "index", Example: "1", Max: address.MaxShards - 1,
				Doc: "Which shard: 0 to count-1. It has each device whose number, from 0, has this remainder when it is " +
					"divided by count, and all operations for them."},
			{Key: "count", Example: "4", Max: address.MaxShards,
				Doc: "How many shards there are, {max} at most, each with a device and a worker at least. 0: one. Not with " +
					"the models rollout, breakpoint and service."},
		}},

		reflect.TypeFor[thresholdMapping](): {"ThresholdMapping", []Field{
			{Key: "threshold", Required: true,
				Doc: "The threshold, which has windows if it ends the run."},
			{Key: "abort",
				Doc: "Whether the run ends as soon as the threshold has failed, with exit code 1. An item that is only text " +
					"doesn't end the run."},
		}},

		reflect.TypeFor[FleetSpec](): {"FleetSpec", []Field{
			{Key: "devices", Min: 1, Max: address.MaxDevices, ByRule: true,
				Flag: "devices", Usage: "how many devices",
				Doc: "How many devices: 1 to " + strconv.Itoa(address.Path.Capacity()) + ", in port addressing to 5000; so " +
					"many in each shard."},
			{Key: "addressing",
				Flag: "addressing", Usage: "how devices are addressed: ip, port or path (default ip on Linux, else path)",
				Doc: "How devices are addressed: ip (an address each, Linux only), port (a port each) or path (/d/INDEX, all " +
					"on one port). Empty: ip on Linux, path elsewhere."},
			{Key: "behavior", ByRule: true, Doc: "The behavior of the devices that are in no group."},
			{Key: "groups", Max: 64, ByRule: true,
				Doc: "Parts of the fleet that behave differently, {max} at most; their shares add up to 1 at most."},
			{Key: "capacity", ByRule: true,
				Doc: "How many updates all devices together answer per s, m or h, 1000000/s at most; further ones wait their " +
					"turn. 0/s: no limit."},
			{Key: "tls", ByRule: true, Doc: "How devices speak TLS. Empty: not at all."},
		}},

		reflect.TypeFor[ArtifactSpec](): {"ArtifactSpec", []Field{
			{Key: "size", Min: 1,
				Flag: "size", Usage: "push this much made from the seed, such as 64KiB",
				Doc: "Size of the artifact that is made from the seed: 1B to 1TiB. Not used with a file."},
			{Key: "file", Example: "firmware.bin", OutsideWorkload: true, Flag: "artifact", Usage: "push this file",
				Doc: "A real file to push instead."},
			{Key: "version", Example: "2.4.1", OutsideWorkload: true,
				Doc: "The version of the update. Empty: the harness chooses."},
		}},

		reflect.TypeFor[ClientSpec](): {"ClientSpec", []Field{
			{Key: "transport",
				Flag: "transport", Usage: "lean or nethttp",
				Doc: "lean: the client's own over bare connections; nethttp: package net/http."},
			timeout("dial_timeout", "Time limit for opening a connection, {max} at most. 0s: the client's default."),
			timeout("answer_timeout", "Time limit from a request's end to its answer, {max} at most. 0s: the client's default."),
			timeout("total_timeout", "Time limit for a whole request, {max} at most. 0s: the client's default."),
			{Key: "max_attempts", Example: "5", Max: MaxAttempts,
				Doc: "How often an update is pushed to a device in one delivery: 1 to {max}. 0: the client's default."},
			timeout("retry_base", "The longest wait before the first retry, {max} at most. 0s: the client's default."),
			timeout("retry_cap", "The longest wait before any retry, {max} at most. 0s: the client's default."),
			{Key: "max_idle", Example: "1024", Max: maxIdle,
				Doc: "Idle connections that the client keeps open: 1 to {max}. 0: the client's default."},
			{Key: "good_reads", Example: "3", Max: MaxAttempts,
				Doc: "How often in a row a device must answer that it runs the update before a delivery counts: 1 to {max}. " +
					"0: the client's default."},
			timeout("poll",
				"Time between two version requests to a device that installs or reboots, {max} at most. 0s: the client's "+
					"default."),
			timeout("poll_for",
				"How long such a device is asked for its version before the delivery ends as pending, {max} at most. 0s: "+
					"the client's default."),
			{Key: "defaults", Want: "shipped, or nothing",
				Doc: "shipped: the retry budget and the breaker as the client has them by default. Empty: neither, so that how " +
					"often a device is tried depends on the seed alone."},
			{Key: "headers", Max: maxHeaders, Doc: "Header fields that are sent with every request, {max} at most."},
			{Key: "ca", Example: "fleet-ca.pem",
				Doc: "A PEM file with the authorities to trust for devices' certificates. Empty: the fleet's own authority, " +
					"or else the system's."},
			{Key: "command", Example: "[python3, push.py]", Max: maxCommand, Noun: "words", OutsideWorkload: true,
				Doc: "A program that is the client, in any language, with its arguments, {max} words at most; " +
					"docs/reference/process-client.md says what it reads and writes. No shell is involved. {pprof} in a word " +
					"stands for an address such as 127.0.0.1:20123, another for each process, at which it is to serve its " +
					"profiles as net/http/pprof does. Don't write " +
					"secrets here: the run directory has all of it. Left out: the client of this program."},
			{Key: "directory", Example: "clients", OutsideWorkload: true,
				Doc: "The directory in which the command runs, and from which relative paths in it start; itself from the " +
					"directory of the scenario's file. Left out: the directory of the file that has the command."},
			{Key: "processes", Example: "8", Max: MaxProcesses,
				Doc: "How many processes of the command run: 1 to {max}. 0: 1."},
			{Key: "concurrency", Example: "4", Max: MaxConcurrency,
				Doc: "How many operations a process is asked for at the same time: 1 to {max}. 0: 1."},
			{Key: "deadline", Max: float64(MaxTimeout), Want: "0s, for " + defaultDeadline.String() + ", to " + MaxTimeout.String(),
				Doc: "How long an operation of the command may take, {max} at most. A process that hasn't answered a second " +
					"later is killed and replaced. 0s: 1m."},
			{Key: "pprof", Example: "http://127.0.0.1:6060/debug/pprof", OutsideWorkload: true,
				Doc: "Where the command serves its profiles, as net/http/pprof does, if one of its processes always has the " +
					"same address; with {pprof} in the command, each has its own. Left out, and without {pprof}: there are no " +
					"profiles of it."},
			{Key: "service",
				Doc: "A service that updates all devices by itself once it is told to, instead of a client that is asked for " +
					"each operation; docs/reference/service-client.md says how it is measured."},
		}},
		reflect.TypeFor[ServiceSpec](): {"Service", []Field{
			{Key: "start", Example: "[./orchestrator, --port, '9000']", Max: maxCommand, Noun: "words", OutsideWorkload: true,
				Doc: "The program with its arguments, {max} words at most, which is started for each repetition and ended " +
					"after it. No shell is involved. Don't write secrets here: the run directory has all of it. Left out: the " +
					"service runs already, or the trigger's command is all there is."},
			{Key: "directory", Example: "services", OutsideWorkload: true,
				Doc: "The directory in which commands run, and from which relative paths in them start; itself from the " +
					"directory of the scenario's file. Left out: the directory of the file that has the service."},
			{Key: "ready", Example: "http://127.0.0.1:9000/healthz", OutsideWorkload: true,
				Doc: "A URL that answers 2xx once the service is ready, within 30s. Left out: it is ready when it was started."},
			{Key: "trigger", OutsideWorkload: true, Doc: "What begins the rollout: a request or a command."},
			{Key: "devices", Example: `"{{.ID}} {{.Address}}"`, OutsideWorkload: true,
				Doc: "How the list of devices is written: json (a list of objects with id and address), csv (with a header " +
					"line), or a Go template for the line of a device, of its .ID, .Address, .Host, .Port and .Index. Left " +
					"out: json."},
			{Key: "done", Example: "http://127.0.0.1:9000/rollouts/1", OutsideWorkload: true,
				Doc: "How the service says that its rollout is over: a URL that then answers 200, and before that anything " +
					"else, such as 202; or exit, for the end of the trigger's command. The placeholders location and id are " +
					"those of the answer to the trigger's request. Left out: it doesn't say so."},
			{Key: "done_text", Example: `'"state":"done"'`, OutsideWorkload: true,
				Doc: "Text that the answer of done contains once the rollout is over. Left out: its status says so."},
			{Key: "deadline", Max: float64(MaxTimeout), Want: "0s, for " + defaultServiceDeadline.String() + ", to " + MaxTimeout.String(),
				Doc: "How long the rollout may take, {max} at most. Devices that don't run the update by then have failed. " +
					"0s: 10m."},
			{Key: "pprof", Example: "http://127.0.0.1:6060/debug/pprof", OutsideWorkload: true,
				Doc: "Where the service serves its profiles, as net/http/pprof does, in profiled repetitions. Left out: there " +
					"are none of it."},
		}},
		reflect.TypeFor[TriggerSpec](): {"Trigger", []Field{
			{Key: "request", Doc: "An HTTP request, which is answered 2xx."},
			{Key: "command", Example: "[./rollout.sh, '{devices}', '{artifact}']", Max: maxCommand, Noun: "words",
				Doc: "A program with its arguments, {max} words at most. Placeholders in braces stand for what it needs to " +
					"know, such as the path of a file with the list of devices; docs/reference/service-client.md has them all."},
		}},
		reflect.TypeFor[RequestSpec](): {"Request", []Field{
			{Key: "method", Example: "PUT", Pattern: "^([A-Z]{1,16})?$", Want: "a method such as POST",
				Doc: "Its method. Left out: POST."},
			{Key: "url", Example: "http://127.0.0.1:9000/rollouts", Doc: "Where it goes. Placeholders are as in a command."},
			{Key: "headers", Max: maxHeaders, Doc: "Its header fields, {max} at most."},
			{Key: "body", Example: `'{"to": "{version}", "devices": {devices}}'`,
				Doc: "Its body. The placeholder devices stands for the list itself, the others are as in a command. Left out: a " +
					"JSON object with version, artifact and devices."},
		}},
		reflect.TypeFor[Header](): {"Header", []Field{
			{Key: "name", Example: "X-Device-Token", Pattern: tokenPattern, Required: true,
				Doc: "The field's name. Fields that the client sets itself can't be set here."},
			{Key: "value", Example: "staging", Secret: true, Doc: "Its value, unless that is a secret."},
			{Key: "env", Example: "DEVICE_TOKEN",
				Doc: "The environment variable that holds the value, which is then written nowhere."},
		}},

		reflect.TypeFor[LoadSpec](): {"LoadSpec", []Field{
			{Key: "model",
				Doc: "When operations begin. closed, once and rollout: a worker begins one when its last one has ended. The " +
					"others are open: operations begin as planned, whether or not earlier ones have ended."},
			{Key: "operation", Doc: "What is done with a device: push; verify; or deliver, which is both, with retries."},
			{Key: "workers", Example: "64", Min: noMin, Max: MaxWorkers, ByRule: true,
				Flag: "workers", Usage: "operations at the same time, at most (0 in an open model: as many as needed)",
				Doc: "Operations at the same time, at most: 1 to {max}. Left out, or 0, in an open model: as many as needed, " +
					"4096 at most. Left out of the others: 32."},
			{Key: "rate", Models: []Model{ConstantRate, Poisson, RampingRate, Spike, Breakpoint, Rollout},
				NeededBy: []Model{ConstantRate, Poisson, Spike, Breakpoint}, Wants: "wants a rate such as 100/s",
				Flag: "rate", Usage: "operations planned per second, such as 500/s, whatever the answers (an open model)",
				Doc: "Operations that begin per s, m or h. Of ramp and breakpoint: the first rate. Of rollout: the highest rate."},
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
				Doc: "How long after the plan's end operations may be sent and may end, {max} at most; operations " +
					"still running then are broken off. 0s: 30s, and an open load that is certain to be invalid sends no more."},
			{Key: "max_skew", Example: "100ms", Max: float64(maxMaxSkew), Want: maxMaxSkew.String() + " at most, or 0s for " + defaultMaxSkew.String(),
				OutsideWorkload: true, Models: []Model{ClosedLoop, Once, ConstantRate, Poisson, RampingRate, Stages, Spike, Burst},
				Doc: "Of a run with agents: how far apart they may begin a repetition, {max} at most; beyond, the run is invalid. 0s: " +
					defaultMaxSkew.String() + "."},
			{Key: "think", Max: float64(random.MaxDuration), Models: []Model{ClosedLoop, Once},
				Doc: "Of closed and once: how long a worker waits after each operation, {max} at most."},
			{Key: "arrivals", Models: []Model{RampingRate, Spike, Stages},
				Doc: "Of ramp, spike and stages: even, or poisson for independent (Poisson) arrivals. Empty: even."},
			{Key: "ramp", Models: []Model{RampingRate}, NeededBy: []Model{RampingRate},
				Doc: "Of model ramp: a rate that changes linearly over the duration."},
			{Key: "spike", Models: []Model{Spike}, NeededBy: []Model{Spike}, Doc: "Of model spike: a period at another rate."},
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
			{Key: "every", Doc: "The time from one burst to the next. 0s: there is one burst."},
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
				Doc: "How exactly the limit is found, relative to it: 0.1% to 50%. 0: 5%."},
		}},
		reflect.TypeFor[RolloutSpec](): {"RolloutSpec", []Field{
			{Key: "waves", Max: maxWaves, Doc: "Steps of the rollout, {max} at most. Left out: one wave of everything."},
			{Key: "abort_share", Doc: "The rollout stops when this share of a wave's finished devices has failed. 0: never."},
			{Key: "abort_least", Example: "20", Max: maxAbortMinimum,
				Doc: "How many devices of a wave must have finished before abort_share can stop the rollout within the wave: 1 " +
					"to {max}. 0: the client's default."},
			{Key: "requeue", Doc: "Further attempts at devices whose failure may be temporary."},
		}},
		reflect.TypeFor[RequeueSpec](): {"RequeueSpec", []Field{
			{Key: "turns", Example: "3", Min: -1, Max: maxTurns,
				Doc: "How many further attempts a device gets, {max} at most. 0: the client's default; -1: none."},
			timeout("after",
				"The wait before the first of them, doubled before each further one, {max} at most. 0s: the client's default."),
		}},
		reflect.TypeFor[WaveSpec](): {"WaveSpec", []Field{
			{Key: "share", Above: true, Required: true,
				Doc: "The share of the fleet that has been reached when the wave is over: more than that of the wave before."},
			{Key: "soak", Max: float64(maxSoak), Want: maxSoak.String() + " at most", Doc: "The wait after the wave, {max} at most."},
		}},

		reflect.TypeFor[behavior.Group](): {"Group", []Field{
			{Key: "name", Example: "slow", Pattern: `^[a-z0-9][a-z0-9-]{0,31}$`,
				Forbidden: []any{behavior.AllGroups, behavior.RestGroup},
				Required:  true,
				Doc: "Its name, which no other group has: 1 to 32 lower-case letters, digits and dashes; not all and " +
					"not rest."},
			{Key: "share", Above: true, Required: true, Doc: "The group's share of all devices, above 0."},
			{Key: "behavior", Doc: "The behavior of its devices, instead of the fleet's."},
			{Key: "tls", Doc: "How its devices speak TLS, if the fleet does. Empty: as the fleet. Not in path addressing."},
		}},
		reflect.TypeFor[behavior.Behavior](): {"Behavior", []Field{
			delay("latency", "The time from an update's last byte to its answer, {max} at most."),
			{Key: "fail_first", Example: "2", Max: math.MaxInt32,
				Doc: "How many of the first updates that reach a device it answers with fail_status and doesn't apply."},
			{Key: "fail_status", Example: "500", Min: 400, Max: 599, OrZero: true,
				Doc: "The HTTP status for fail_first, 400 to {max}. 0: 503."},
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
				"How long a device installs, {max} at most: it answers the update 202 and others 409, and reports the "+
					"version that it ran before."),
			delay("reboot", "How long it can't be reached after that, {max} at most."),
		}},
		reflect.TypeFor[behavior.Network](): {"Network", []Field{
			delay("rtt", "How much later every answer leaves, {max} at most."),
			{Key: "bandwidth", Doc: "Bytes a second that a device reads of a body, such as 20kB/s. 0: no limit."},
			{Key: "receive_buffer", Example: "4096", Min: 1024, Max: 16 << 20, OrZero: true,
				Doc: "The size of the socket's receive buffer in bytes: 1024 to {max}. 0: the kernel's choice."},
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
				Doc: "Of a fault in answers: answers to updates, or answers to version requests. Empty: update."},
			{Key: "first", Example: "2", Max: math.MaxInt32, Doc: "Strikes only this many attempts, from the first. 0: all."},
			{Key: "share", Doc: "Strikes this share of the devices. 0: all."},
			{Key: "after_bytes", Doc: "Bytes of the artifact that arrive before it strikes."},
			{Key: "rate", Doc: "Bytes a second."},
			delay("delay", "How long it waits, hangs or lasts, {max} at most; each kind says which."),
			{Key: "status", Example: "503", Min: noMin, Doc: "HTTP status to answer. 0: the kind's own."},
			{Key: "retry_after", Doc: "The Retry-After field with that status: in seconds, or as a date. 1h at most."},
			{Key: "origin", Words: []string{"", "same", "other"},
				Doc: "Where a redirect leads: to the same origin or another. Empty: same."},
		}},
	}
}
