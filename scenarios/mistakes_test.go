package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// A planted mistake is a file with one thing wrong, and the beginning of the message about it:
// line, column and field.
type planted struct {
	text, want string

	// beyond marks a mistake that a JSON Schema can't find: it sees only the values of a YAML
	// document, and can't compare two of them.
	beyond bool
}

// plantedMistakes returns mistakes of every kind.
func plantedMistakes() []planted {
	return slices.Concat(plantedKeys(), plantedValues(), plantedWholes(), plantedYAML())
}

// plantedKeys returns files with wrong keys, at every depth.
func plantedKeys() []planted {
	return []planted{
		{text: "name: x\nlod:\n  workers: 3\n", want: `2:1: unknown key "lod": did you mean load?`},
		{text: "name: x\nload:\n  wrkers: 3\n", want: `3:3: load: unknown key "wrkers": did you mean workers?`},
		{text: "name: x\nfleet:\n  behavior:\n    life: {instal: 1s}\n",
			want: `4:12: fleet.behavior.life: unknown key "instal": did you mean install?`},
		{text: "name: x\nfleet:\n  groups:\n    - name: a\n      share: 1%\n      sahre: 2%\n",
			want: `6:7: fleet.groups[0]: unknown key "sahre": did you mean share?`},
		{text: "name: x\nfleet:\n  groups:\n    - {name: a, share: 1%, behavior: {network: {rttt: 1ms}}}\n",
			want: `4:49: fleet.groups[0].behavior.network: unknown key "rttt": did you mean rtt?`},
		{text: "name: x\nfleet:\n  behavior:\n    faults:\n      - {kind: garbage}\n      - {knd: garbage}\n",
			want: `6:10: fleet.behavior.faults[1]: unknown key "knd": did you mean kind?`},
		{text: "name: x\nload:\n  model: stages\n  stages:\n    - {rate: 1/s, for: 1s}\n    - rate: 2/s\n      four: 1s\n",
			want: `7:7: load.stages[1]: unknown key "four": did you mean for?`},
		{text: "name: x\n\"load\": {\"workers\": 1, \"wokers\": 2}\n",
			want: `2:24: load: unknown key "wokers": did you mean workers?`},
		{text: "name: x\n1: x\n", want: `2:1: key 1: want one of name`},
		{text: "name: x\n? load\n: {}\n", want: `2:1: key ? load: want one of name`, beyond: true},
		{text: "name: x\nname: y\n", want: `2:1: name: the key stands here a second time, after line 1: want it once`,
			beyond: true},
		{text: "name: x\nfleet:\n  groups:\n    - {name: a, share: 1%, share: 2%}\n",
			want: `4:28: fleet.groups[0].share: the key stands here a second time`, beyond: true},
		{text: "repetitions: 3\n", want: `1:1: name: "": want 1 to 64 lower-case`},
		{text: "name: x\nfleet:\n  groups:\n    - {share: 8%}\n", want: `4:7: fleet.groups[0].name: "": want 1 to 32`},
		{text: "name: x\nfleet:\n  groups:\n    - {name: a}\n", want: `4:7: fleet.groups[0].share: 0: want above 0`},
		{text: "name: x\nfleet:\n  behavior:\n    faults:\n      - first: 1\n",
			want: `5:9: fleet.behavior.faults[0].kind: "": want one of refuse`},
	}
}

// plantedValues returns files with values that are invalid for their fields.
func plantedValues() []planted {
	return []planted{
		// Another type.
		{text: "name: x\nload:\n  workers: many\n", want: `3:12: load.workers: "many": want a whole number`},
		{text: "name: x\nload:\n  workers: 1.5\n", want: `3:12: load.workers: "1.5": want a whole number`},
		{text: "name: x\nload:\n  workers: .inf\n", want: `3:12: load.workers: ".inf": want a whole number`, beyond: true},
		{text: "name: x\nload:\n  workers: \"10\"\n",
			want: `3:12: load.workers: "10": want a whole number, without the quotes`},
		{text: "name: x\nload:\n  workers: [1]\n", want: `3:12: load.workers: a list: want a whole number`},
		{text: "name: x\nload:\n  workers: {a: 1}\n", want: `3:12: load.workers: a mapping: want a whole number`},
		{text: "name: x\nload:\n  workers:\n    a: 1\n", want: `4:5: load.workers: a mapping: want a whole number`},
		{text: "name: x\nload:\n  workers: |\n    10\n", want: `3:12: load.workers: "10\n": want a whole number`},
		{text: "name: x\nload: 3\n", want: `2:7: load: "3": want a mapping of model, operation`},
		{text: "name: x\nload: []\n", want: `2:7: load: a list: want a mapping`},
		{text: "- name: x\n", want: `1:1: a list: want a mapping`},
		{text: "name: 3\n", want: `1:7: name: "3": want text`},
		{text: "name: x\nartifact: {version: 2.1}\n", want: `2:21: artifact.version: "2.1": want text; put it in quotes`},
		{text: "name: x\nfleet:\n  groups:\n    - {name: a, share: 8%, behavior: {network: {http_1_0: 1}}}\n",
			want: `4:59: fleet.groups[0].behavior.network.http_1_0: "1": want true or false`},
		{text: "name: x\nfleet:\n  groups: {name: a, share: 8%}\n", want: `3:11: fleet.groups: a mapping: want a list`},
		{text: "name: x\nload:\n  duration: [5s]\n", want: `3:13: load.duration: a list: want a single value`},
		// A missing value.
		{text: "name: x\nload:\n  workers:\n", want: `3:3: load.workers: has no value: want one`},
		{text: "name: x\nload:\n  workers: ~\n", want: `3:12: load.workers: has no value: want one`},
		{text: "name: x\nfleet:\n  groups:\n    -\n", want: `4:5: fleet.groups[0]: nothing: want a mapping`},
		// Whole numbers.
		{text: "name: x\nload:\n  workers: 99999999999999999999\n",
			want: `3:12: load.workers: 99999999999999999999: want a whole number from -9223372036854775808 to 9223372036854775807`},
		{text: "name: x\nseed: 18446744073709551616\n",
			want: `2:7: seed: 18446744073709551616: want a whole number from 0 to 18446744073709551615`},
		{text: "name: x\nseed: -1\n", want: `2:7: seed: -1: want a whole number from 0 to`},
		{text: "name: x\nload:\n  workers: 010\n",
			want: `3:12: load.workers: "010": want a whole number without leading zeros; as an octal it is 0o10`, beyond: true},
		{text: "name: x\nload:\n  workers: 0_10\n",
			want: `3:12: load.workers: "0_10": want a whole number without leading zeros`, beyond: true},
		{text: "name: x\nload:\n  workers: -010\n",
			want: `3:12: load.workers: "-010": want a whole number without leading zeros`},
		{text: "name: x\nload:\n  workers: 08\n",
			want: `3:12: load.workers: "08": want a whole number without leading zeros`},
		// Text forms.
		{text: "name: x\nload:\n  model: constant\n  rate: 10 per s\n",
			want: `4:9: load.rate: "10 per s": want a rate such as 10/s`},
		{text: "name: x\nload:\n  duration: 5\n", want: `3:13: load.duration: "5": want a duration such as 5s`},
		{text: "name: x\nload:\n  duration: -5s\n", want: `3:13: load.duration: "-5s": want a duration`},
		{text: "name: x\nartifact:\n  size: 64 kilobytes\n",
			want: `3:9: artifact.size: "64 kilobytes": want an amount of data`},
		{text: "name: x\nfleet:\n  behavior:\n    latency: slow\n",
			want: `4:14: fleet.behavior.latency: distribution "slow": want a duration such as 5ms`},
		{text: "name: x\nfleet:\n  behavior:\n    latency: lognormal(p50=9ms, p90=50ms)\n",
			want: `4:14: fleet.behavior.latency: distribution "lognormal(p50=9ms, p90=50ms)": want`},
		{text: "name: x\nfleet:\n  behavior:\n    latency: uniform(9ms, 1ms)\n",
			want: `4:14: fleet.behavior.latency: distribution "uniform(9ms, 1ms)": want the lower duration first`, beyond: true},
		{text: "name: x\nfleet:\n  behavior:\n    network: {bandwidth: 1Mb}\n",
			want: `4:26: fleet.behavior.network.bandwidth: amount "1Mb": want a whole number`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: garbage, share: 200%}]\n",
			want: `4:37: fleet.behavior.faults[0].share: share "200%": want a number from 0 to 1`, beyond: true},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: garbage, share: 2}]\n",
			want: `4:37: fleet.behavior.faults[0].share: share "2": want a number from 0 to 1`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: status-503, retry_after: soon}]\n",
			want: `4:46: fleet.behavior.faults[0].retry_after: retry-after "soon": want`},
		{text: "name: My Rollout\n", want: `1:7: name: "My Rollout": want 1 to 64 lower-case`},
		{text: "name: x\nload:\n  duration: " + strings.Repeat("9", 2000) + "s\n",
			want: `3:13: load.duration: 2001 characters: want a single short value`, beyond: true},
		// One of a few words.
		{text: "name: x\nload:\n  model: open\n",
			want: `3:10: load.model: "open": want closed, once, constant, poisson, ramp`},
		{text: "name: x\nload:\n  operation: ping\n", want: `3:14: load.operation: "ping": want push, verify or deliver`},
		{text: "name: x\nload: {model: ramp, rate: 1/s, duration: 1s, ramp: {to: 2/s}, arrivals: odd}\n",
			want: `2:73: load.arrivals: "odd": want even or poisson`},
		{text: "name: x\nfleet:\n  addressing: dns\n", want: `3:15: fleet.addressing: "dns": want ip, port or path`},
		{text: "name: x\nfleet:\n  tls: ssl3\n", want: `3:8: fleet.tls: "ssl3": want good, expired`},
		{text: "name: x\nclient:\n  defaults: bench\n", want: `3:13: client.defaults: "bench": want shipped, or nothing`},
		{text: "name: x\nclient:\n  transport: quic\n", want: `3:14: client.transport: "quic": want lean or nethttp`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: garbage}, {kind: garbag}]\n",
			want: `4:38: fleet.behavior.faults[1].kind: "garbag": want one of refuse`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: garbage, on: reboot}]\n",
			want: `4:34: fleet.behavior.faults[0].on: "reboot": want update or version`},
		// Bounds.
		{text: "name: x\nload:\n  workers: 0\n", want: `3:12: load.workers: 0: want 1 to 65536`},
		{text: "name: x\nrepetitions: 0\n", want: `2:14: repetitions: 0: want 1 to 10000`},
		{text: "name: x\nfleet:\n  devices: -1\n", want: `3:12: fleet.devices: -1: want 1 to`},
		{text: "name: x\nartifact:\n  size: 0\n", want: `3:9: artifact.size: 0B: want 1B to`},
		{text: "name: x\nclient:\n  max_idle: -1\n", want: `3:13: client.max_idle: -1: want 0 to 1048576`},
		{text: "name: x\nclient: {max_attempts: 1001}\n", want: `2:24: client.max_attempts: 1001: want 0 to 1000`},
		{text: "name: x\nclient:\n  total_timeout: 25h\n",
			want: `3:18: client.total_timeout: 25h0m0s: want 0s, for the client's default, to 24h0m0s`, beyond: true},
		{text: "name: x\nfleet:\n  behavior:\n    fail_status: 200\n",
			want: `4:18: fleet.behavior.fail_status: 200: want an HTTP status`},
		{text: "name: x\nfleet:\n  behavior:\n    network: {receive_buffer: 5}\n",
			want: `4:31: fleet.behavior.network.receive_buffer: 5: want 1024 to 16777216`},
		{text: "name: x\nload: {model: stages, stages: []}\n", want: `2:31: load.stages: 0 of them: want 1 to 64`},
	}
}

// plantedWholes returns files with values that are invalid together.
func plantedWholes() []planted {
	return []planted{
		{text: "name: x\nfleet: {devices: 6000, addressing: port}\n",
			want: `2:18: fleet.devices: 6000: addressing port holds at most 5000`},
		{text: "name: x\nfleet:\n  addressing: path\n  groups:\n    - {name: a, share: 1, behavior: {network: {max_connections: 1}}}\n", want: `5:65: fleet.groups[0].behavior.network.max_connections: 1: want ip or port`},
		{text: "name: x\nfleet:\n  addressing: path\n  behavior:\n    network:\n      max_connections: 1\n",
			want: `6:24: fleet.behavior.network.max_connections: 1: want ip or port`},
		{text: "name: x\nfleet:\n  addressing: path\n  behavior: {faults: [{kind: offline}, {kind: refuse}]}\n",
			want: `4:47: fleet.behavior.faults[1].kind: "refuse": want`},
		{text: "name: x\nfleet:\n  groups:\n    - {name: slow, share: 8%}\n    - {name: slow, share: 2%}\n",
			want: `5:14: fleet.groups[1].name: "slow": want a name that no other`, beyond: true},
		{text: "name: x\nfleet:\n  groups:\n    - {name: rest, share: 8%}\n",
			want: `4:14: fleet.groups[0].name: "rest": want a name that no other`},
		{text: "name: x\nfleet:\n  groups:\n    - {name: a, share: 60%}\n    - {name: b, share: 50%}\n",
			want: `5:24: fleet.groups[1].share: 0.5: want 0.4 at most`, beyond: true},
		{text: "name: x\nfleet:\n  groups: [{name: a, share: 1, tls: good}]\n",
			want: `3:37: fleet.groups[0].tls: "good": want a fleet that speaks TLS`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: blackhole, rate: 5}]\n",
			want: `4:38: fleet.behavior.faults[0].rate: 5: want none: blackhole takes share, first, delay`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: slow-read}]\n",
			want: `4:14: fleet.behavior.faults[0].rate: 0: want bytes a second`},
		{text: "name: x\nfleet:\n  behavior:\n    faults: [{kind: early-4xx, status: 500}]\n",
			want: `4:40: fleet.behavior.faults[0].status: 500: want an HTTP status from 400 to 499`},
		{text: "name: x\nload:\n  rate: 10/s\n",
			want: `3:9: load.rate: 10/s: the closed model has no use for it; it is for constant, poisson`},
		{text: "name: x\nload:\n  model: poisson\n  rate: 10/s\n  think: 5ms\n",
			want: `5:10: load.think: 5ms: the poisson model has no use for it; it is for closed and once`},
		{text: "name: x\nload:\n  stages: [{rate: 1/s, for: 1s}]\n",
			want: `3:11: load.stages: the closed model has no use for it`},
		{text: "name: x\nload:\n  model: once\n  duration: 5s\n", want: `4:13: load.duration: 5s: the once model ends when`},
		{text: "name: x\nload:\n  operation: push\n  model: constant\n",
			want: `4:10: load.rate: 0/s: the constant model wants a rate`},
		{text: "name: x\nload:\n  model: spike\n  rate: 5/s\n  spike: {rate: 1/s}\n  duration: 5s\n",
			want: "5:10: load.spike.for: 0s: want how long"},
		{text: "name: x\nload:\n  model: spike\n  rate: 5/s\n  spike: {rate: 1/s, for: 1s}\n",
			want: "3:10: load.duration: 0s: the spike model wants to know how long"},
		{text: "name: x\nload: {model: stages, stages: [{rate: 5/s, for: 1s}, {rate: 5/s}]}\n",
			want: `2:54: load.stages[1].for: 0s: want how long`},
		{text: "name: x\nload: {model: spike, rate: 5/s, duration: 5s, spike: {rate: 9/s, at: 4s, for: 2s}}\n",
			want: `2:54: load.spike: it begins at 4s and lasts 2s: want an end within`, beyond: true},
		{text: "name: x\nload: {model: breakpoint, rate: 50/s, breakpoint: {to: 4/s}}\n",
			want: `2:56: load.breakpoint.to: 4/s: want the highest rate to try, above`, beyond: true},
		{text: "name: x\nload: {model: breakpoint, rate: 5/s, breakpoint: {to: 40/s}}\n",
			want: `2:50: load.breakpoint.probe: 3s at 5/s are 15 operations: want 20 at least`, beyond: true},
		// A rollout.
		{text: "name: x\nload:\n  model: rollout\n  operation: push\n",
			want: `4:14: load.operation: push: a rollout delivers`},
		{text: "name: x\nload:\n  model: rollout\n  duration: 5s\n",
			want: `4:13: load.duration: 5s: a rollout ends when it is through`},
		{text: "name: x\nload:\n  rollout: {abort_share: 5%}\n",
			want: `3:12: load.rollout: the closed model has no use for it; it is for rollout`},
		{text: "name: x\nload:\n  model: rollout\n  rollout:\n    waves: [{share: 5%}, {soak: 1s}]\n",
			want: `5:26: load.rollout.waves[1].share: 0: want more than 0.05`},
		{text: "name: x\nload:\n  model: rollout\n  rollout:\n    waves: [{share: 5%}, {share: 4%}]\n",
			want: `5:34: load.rollout.waves[1].share: 0.04: want more than 0.05`, beyond: true},
		{text: "name: x\nload:\n  model: rollout\n  rollout:\n    waves: [{share: 5%, soak: 721h}]\n",
			want: `5:31: load.rollout.waves[0].soak: 721h0m0s: want 720h0m0s at most`, beyond: true},
		{text: "name: x\nload: {model: rollout, rollout: {requeue: {turns: -2}}}\n",
			want: `2:51: load.rollout.requeue.turns: -2: want -1 to 1000`},
		{text: "name: x\nload: {model: rollout, rollout: {requeue: {after: 25h}}}\n",
			want: `2:51: load.rollout.requeue.after: 25h`, beyond: true},
		{text: "name: x\nload: {model: rollout, rollout: {abort_least: -1}}\n",
			want: `2:47: load.rollout.abort_least: -1: want 0 to 1048576`},
		{text: "name: x\nfleet: {devices: 200001}\nload: {model: rollout}\n",
			want: `2:18: fleet.devices: 200001: a rollout takes at most 200000`, beyond: true},
		// Thresholds.
		{text: "name: x\nthresholds:\n  - failed/device == 0\n  - p99-ns/opp < 5ms\n",
			want: `4:5: thresholds[1]: "p99-ns/opp < 5ms": metric "p99-ns/opp": did you mean p99-ns/op?`},
		{text: "name: x\nthresholds: [p99-ns/op < fast]\n",
			want: `2:14: thresholds[0]: "p99-ns/op < fast": limit "fast": want a duration`},
		{text: "name: x\nthresholds: p99-ns/op < 5ms\n", want: `2:13: thresholds: "p99-ns/op < 5ms": want a list`},
		{text: "name: x\nload: {operation: push}\nthresholds:\n  - \"p99-ns/op{op=verify} < 5ms\"\n",
			want: `4:5: thresholds[0]: "p99-ns/op{op=verify} < 5ms": a load of push has no`, beyond: true},
		// Thresholds with windows, and those that end the run.
		{text: "name: x\nthresholds:\n  - p99-ns/op < 5ms in all 5s\n",
			want:   `3:5: thresholds[0]: "p99-ns/op < 5ms in all 5s": in all 5s: want in every 5s, or in every 5s for 3`,
			beyond: true},
		{text: "name: x\nthresholds:\n  - allocs/op < 5 in every 5s\n",
			want: `3:5: thresholds[0]: "allocs/op < 5 in every 5s": allocs/op can't be judged in windows: want one of ` +
				`ns/op, p50-ns/op, p75-ns/op, p90-ns/op, p95-ns/op, p99-ns/op, p99.9-ns/op, max-ns/op, ` +
				`service-p99-ns/op, ops/s, MB/s, failed/device`, beyond: true},
		{text: "name: x\nload: {duration: 3s}\nthresholds:\n  - ops/s > 1/s in every 5s\n",
			want:   `4:5: thresholds[0]: "ops/s > 1/s in every 5s": in every 5s: want a window within load.duration, 3s`,
			beyond: true},
		{text: "name: x\nload: {duration: 12s}\nthresholds:\n  - ops/s > 1/s in every 5s for 3 windows\n",
			want:   `4:5: thresholds[0]: "ops/s > 1/s in every 5s for 3 windows": for 3 windows: the load has 2 of 5s`,
			beyond: true},
		{text: "name: x\nload: {duration: 2h}\nthresholds:\n  - ops/s > 1/s in every 70ms\n  - ops/s > 1/s in every 30ms\n",
			want: `4:3: thresholds: their windows are multiples of no more than 10ms, so 2h0m30s of load would be ` +
				`divided into 723000 intervals: want windows that are multiples of 40ms or more`, beyond: true},
		{text: "name: x\nload: {model: breakpoint, rate: 50/s, breakpoint: {to: 100/s}}\nthresholds:\n  - ops/s > 1/s in every 1s\n",
			want:   `4:5: thresholds[0]: "ops/s > 1/s in every 1s": a search for the limit judges its trials as a whole`,
			beyond: true},
		{text: "name: x\nthresholds:\n  - threshold: ops/s > 1/s\n    abort: true\n",
			want: `4:12: thresholds[0].abort: true: only a threshold with windows is judged before the run's end: ` +
				`want false, or "ops/s > 1/s in every 5s"`, beyond: true},
		{text: "name: x\nthresholds: [{threshold: ops/s > fast, abort: true}]\n",
			want: `2:26: thresholds[0].threshold: "ops/s > fast": limit "fast": want a rate`},
		{text: "name: x\nthresholds: [{threshold: ops/s > 1/s in every 5s, abort: 1}]\n",
			want: `2:58: thresholds[0].abort: "1": want true or false`},
		{text: "name: x\nthresholds: [{threshold: ops/s > 1/s, aborts: true}]\n",
			want: `2:39: thresholds[0]: unknown key "aborts": did you mean abort?`},
		{text: "name: x\nthresholds: [{abort: true}]\n", want: `2:14: thresholds[0]: is empty: want METRIC < LIMIT`},
		{text: "name: x\nthresholds: [{threshold: {threshold: ops/s > 1/s}}]\n",
			want: `2:26: thresholds[0].threshold: a mapping: want a single value`},
		{text: "name: x\nthresholds: [[ops/s > 1/s]]\n", want: `2:14: thresholds[0]: a list: want a single value`},
		// Header fields.
		{text: "name: x\nclient:\n  command: python3\n", want: `3:12: client.command: "python3": want a list`},
		{text: "name: x\nclient:\n  command: ['']\n",
			want: `3:13: client.command[0]: is empty: want a program`, beyond: true},
		{text: "name: x\nclient:\n  command: [./push, 3]\n", want: `3:21: client.command[1]: "3": want text; put it in quotes`},
		{text: "name: x\nclient:\n  command: [./push]\n  processes: 1025\n",
			want: `4:14: client.processes: 1025: want 0 to 1024`},
		{text: "name: x\nclient:\n  concurrency: 2\n",
			want: `3:16: client.concurrency: there is no client.command that it is for: want a command`, beyond: true},
		{text: "name: x\nclient:\n  command: [./push]\n  pprof: localhost:6060\n",
			want: `4:10: client.pprof: "localhost:6060": want http://HOST:PORT/debug/pprof`, beyond: true},
		{text: "name: x\nclient:\n  command: [./push]\n  pprof: http://u:p@localhost:6060\n",
			want: `4:10: client.pprof: (not shown): it holds a user or a password`, beyond: true},
		{text: "name: x\nclient:\n  command: [./push]\nload:\n  model: rollout\n",
			want: `5:10: load.model: rollout: a client.command has no rollout of its own`, beyond: true},
		{text: "name: x\nclient:\n  headers: [{value: a}]\n",
			want: `3:13: client.headers[0].name: is empty: want a field's name`},
		{text: "name: x\nclient:\n  headers: [{name: X-A}]\n",
			want: `3:13: client.headers[0]: X-A: want either a value, or the name`, beyond: true},
		{text: "name: x\nclient:\n  headers: [{name: X A, value: a}]\n",
			want: `3:13: client.headers[0]: header name "X A": want an HTTP token`},
		{text: "name: x\nclient:\n  headers: [{name: Host, value: a}]\n",
			want: `3:13: client.headers[0]: header Host is set by the client itself`, beyond: true},
		{text: "name: x\nclient:\n  headers: [{name: Authorization, value: a}]\n",
			want: `3:42: client.headers[0].value: (not shown): Authorization is a secret`, beyond: true},
		{text: "name: x\nclient:\n  headers: [{name: X-A, value: 12345}]\n",
			want: `3:32: client.headers[0].value: (not shown): want text`},
		{text: "name: x\nfleet:\n  behavior:\n    require: [{name: X A}]\n",
			want: `4:22: fleet.behavior.require[0].name: "X A": want a field's name`},
		// A suite.
		{text: "name: x\nsuite: [rollout, rollout]\n", want: `2:18: suite[1]: "rollout": want each scenario once`,
			beyond: true},
		{text: "name: x\nsuite: [rollout]\nseed: 3\n", want: `2:8: suite: a suite runs its scenarios as they are`,
			beyond: true},
		{text: "name: x\nsuite: rollout\n", want: `2:8: suite: "rollout": want a list`},
	}
}

// plantedYAML returns files that aren't YAML, or that use parts of YAML that a scenario must not.
func plantedYAML() []planted {
	return []planted{
		{text: "name: [x\n", want: `1:7: not YAML:`, beyond: true},
		{text: "name: 'x\n", want: `1:7: not YAML: could not find end character of single-quoted text`, beyond: true},
		{text: "name: x\nload: a: b\n", want: `2:7: not YAML: mapping value is not allowed`, beyond: true},
		{text: "name: x\n\tload: 3\n", want: `2:1: not YAML: a tab where a line is indented: want spaces`, beyond: true},
		{text: "name: x\nload:\n\tworkers: 3\n", want: `3:1: not YAML: a tab where a line is indented: want spaces`,
			beyond: true},
		{text: "name: x\nload:\n   workers: 3\n  rate: 3/s\n", want: `4:3: not YAML:`, beyond: true},
		{text: "name: x\n---\nname: y\n", want: `3:1: a second document: want one scenario a file`, beyond: true},
		{text: "name: x\nload: &l\n  workers: 3\n", want: `2:7: load: anchors (&) and aliases (*) are not supported`,
			beyond: true},
		{text: "name: x\ndescription: *d\n", want: `2:14: description: anchors (&) and aliases (*) are not supported`,
			beyond: true},
		{text: "name: x\nload:\n  <<: {workers: 3}\n", want: `3:3: load: merge keys (<<) are not supported`, beyond: true},
		{text: "name: !!str 3\n", want: `1:7: name: tags (!) are not supported`, beyond: true},
		{text: "name: x\nload:\n  workers: " + strings.Repeat("[", 300) + "\n",
			want: `3:212: lists and mappings within each other, over 200 deep`, beyond: true},
		{text: "name: x\nfleet:\n  " + strings.Repeat("- ", 300) + "\n",
			want: `3:403: lists and mappings within each other, over 200 deep`},
		{text: "", want: `is empty: want a scenario`, beyond: true},
		{text: "# nothing\n", want: `is empty: want a scenario`, beyond: true},
		{text: "---\n", want: `is empty: want a scenario`, beyond: true},
		// Lines end in more than one way, and characters aren't bytes.
		{text: "name: x\r\nload:\r\n  workers: 0\r\n", want: `3:12: load.workers: 0: want 1 to 65536`},
		{text: "\ufeffname: x\nseed: a\n", want: `2:7: seed: "a": want a whole number`},
		{text: "\ufeffnam: x\n", want: `1:1: unknown key "nam": did you mean name?`},
		{text: "\xff\xfen\x00a\x00m\x00:\x00 \x00x\x00\n\x00", want: `1:1: unknown key "nam": did you mean name?`},
		{text: "name:\t\tX\n", want: `1:8: name: "X": want 1 to 64`},
		{text: "name: x\nload:\t{workers:\t'a'}\n", want: `2:17: load.workers: "a": want a whole number`},
		{text: "name: x\nload:\t{workers: 1, seed: 2}\n", want: `2:20: load: unknown key "seed"`},
		{text: "{name: x, description: \"größer 日本\", seed: a}\n", want: `1:43: seed: "a": want a whole number`},
	}
}

// TestMistakes checks that each planted mistake is reported alone, in one line with its position.
func TestMistakes(t *testing.T) {
	for _, row := range plantedMistakes() {
		_, err := Parse("m.yaml", []byte(row.text))
		require.Error(t, err, row.text)
		said := err.Error()
		require.NotContains(t, said, "\n", "more than one line, or more than one mistake: %s", row.text)
		place := "scenario m.yaml: "
		if row.want[0] <= '9' {
			place = "scenario m.yaml:"
		}
		require.True(t, strings.HasPrefix(said, place+row.want), "%s\nsaid %s\nwant %s", row.text, said, place+row.want)
		mistake, ok := errors.AsType[*SpecError](err)
		require.True(t, ok)
		require.NotRegexp(t, "[:;] want ", mistake.Problem)
		require.NotRegexp(t, "^want ", mistake.Want)
	}
}

// TestAllMistakesAtOnce checks that all mistakes are reported in the order of the file, whether in
// its syntax or in its values, except for those that only follow from another.
func TestAllMistakesAtOnce(t *testing.T) {
	for _, row := range []struct {
		text string
		want []string
	}{
		{"name: x\nlod: 1\nload:\n  rate: fast\n  workers: none\n",
			[]string{"2:1: ", "4:9: load.rate", "5:12: load.workers"}},
		{"name: X\nrepetitions: 0\nwarmup: -1\n", []string{"1:7: name", "2:14: repetitions", "3:9: warmup"}},
		{"name: X\nseed: a\nwarmup: -1\n", []string{"1:7: name", "2:7: seed", "3:9: warmup"}},
		{"seed: a\nname: X\nseed: b\n", []string{"1:7: seed", "2:7: name", "3:1: seed: the key"}},
		// A model that can't be read doesn't lead to a report that the model has no use for the rate.
		{"name: x\nload: {model: 3, rate: 5/s, workers: 0}\n", []string{"2:15: load.model", "2:38: load.workers"}},
		{"name: x\nload: {modl: constant, rate: 5/s, workers: 0}\n",
			[]string{"2:8: load: unknown key", "2:44: load.workers"}},
		{"name: x\nload: {model: constant, rate: 5}\n", []string{"2:31: load.rate"}},
		{"name: x\nfleet: {devices: 6000, addressing: [port]}\n", []string{"2:36: fleet.addressing"}},
		{"name: x\nfleet:\n  groups:\n  - {nam: a, share: lots}\n  - {name: a, share: 2}\n",
			[]string{"4:6: fleet.groups[0]: unknown", "4:21: fleet.groups[0].share", "5:22: fleet.groups[1].share"}},
		{"name: x\nload: {workers: 0}\nfleet: {devices: 0, <<: a}\n",
			[]string{"2:17: load.workers", "3:18: fleet.devices", "3:21: fleet: merge keys"}},
	} {
		_, err := Parse("m.yaml", []byte(row.text))
		require.Error(t, err)
		said := strings.Split(err.Error(), "\n")
		require.Len(t, said, len(row.want), "%s\n%s", row.text, err)
		for i, want := range row.want {
			require.True(t, strings.HasPrefix(said[i], "scenario m.yaml:"+want), "%s\nsaid %s\nwant %s", row.text, said[i], want)
		}
	}
}

// TestMistakesAreBounded checks that a file which is no scenario at all is reported on one page.
func TestMistakesAreBounded(t *testing.T) {
	_, err := Parse("m.yaml", []byte("name: x\n"+strings.Repeat("a: 1\n", 40)))
	list := Problems("m.yaml", err)
	require.Len(t, list, maxReported+1)
	require.Equal(t, &SpecError{File: "m.yaml", Wrong: Wrong{Problem: "and 20 more"}}, list[maxReported])
	require.Equal(t, "m.yaml: and 20 more", list[maxReported].Excerpt())

	_, err = Parse("m.yaml", []byte("name: x\nfleet: {groups: ["+strings.Repeat("a,", 2*maxCollected)+"]}\n"))
	list = Problems("m.yaml", err)
	require.Len(t, list, maxReported+1)
	require.Equal(t, "and 9980 more", list[maxReported].Problem)

	_, err = Parse("m.yaml", []byte("name: x\n"+strings.Repeat("k", 100_000)+": 1\n"))
	require.Less(t, len(err.Error()), 500)
}

// TestReport checks that the caret is below the reported column, however wide the characters before
// it are.
func TestReport(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"name: x\nload:\n  model: constant\n  rate: 10 per s # quick\n", `m.yaml:4:9: load.rate: "10 per s"
      rate: 10 per s # quick
            ^
    want a rate such as 10/s, 90/m or 0.5/s, 10000000/s at most`},
		{"name: x\r\nseed: a\r\n", "m.yaml:2:7: seed: \"a\"\n    seed: a\n          ^\n    want a whole number"},
		{"name: x\nlod: 3\n", "m.yaml:2:1: unknown key \"lod\": did you mean load?\n    lod: 3\n    ^\n" +
			"    want one of name, description, suite, fleet, artifact, client, load, thresholds, repetitions, warmup, profiled, slow_trace, seed, shard, extends"},
		{"name: x\nload:\t{workers:\ta}\n", "m.yaml:2:17: load.workers: \"a\"\n    load:\t{workers:\ta}\n         \t         \t^\n    want a whole number"},
		{"{name: x, description: 日本é, seed: a}\n", "m.yaml:1:35: seed: \"a\"\n    {name: x, description: 日本é, seed: a}\n" +
			"    " + strings.Repeat(" ", 36) + "^\n    want a whole number"},
		{"{name: x, description: \"\a\u202e\", seed: a}\n",
			"m.yaml:1:36: seed: \"a\"\n    {name: x, description: \"��\", seed: a}\n" +
				"    " + strings.Repeat(" ", 35) + "^\n    want a whole number"},
		{"{name: x, description: " + strings.Repeat("y", 100) +
			", seed: a, warmup: 1, client: {transport: lean}, artifact: {size: 64KiB}, load: {workers: 1}}\n",
			"m.yaml:1:132: seed: \"a\"\n    …" + strings.Repeat("y", 62) +
				", seed: a, warmup: 1, client: {transport: lean}, artifact: {size: 64KiB}, load…\n" +
				"    " + strings.Repeat(" ", 71) + "^\n    want a whole number"},
		{"\n", "m.yaml: is empty\n    want a scenario, at least its name"},
	} {
		_, err := Parse("m.yaml", []byte(row.text))
		list := Problems("m.yaml", err)
		require.Len(t, list, 1)
		require.Equal(t, row.want, list[0].Excerpt())
	}
	e := &SpecError{Origin: InCode, Field: "load.workers", Wrong: Wrong{"0", "1 to 65536"}}
	require.Equal(t, "load.workers: 0\n    want 1 to 65536", e.Excerpt(), "a spec made in code has no file")
}

// TestSplitErrors checks that joined errors are split at any depth, and that an error which wraps
// two in a text of its own stays one.
func TestSplitErrors(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	two := fmt.Errorf("%w: %w", a, b)
	require.Nil(t, SplitErrors(nil))
	require.Equal(t, []error{a}, SplitErrors(a))
	require.Equal(t, []error{two}, SplitErrors(two))
	require.Equal(t, []error{a, b, c, two}, SplitErrors(errors.Join(errors.Join(a, errors.Join(b)), nil, c, two)))
}

// TestMistakesOfTheFileAsAWhole checks files that don't exist or are too large.
func TestMistakesOfTheFileAsAWhole(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	_, err := LoadFile(missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, []*SpecError{{File: missing, Wrong: Wrong{Problem: "no such file or directory"},
		Err: syscall.ENOENT}}, Problems(missing, err))
	require.EqualError(t, err, "scenario file "+missing+": no such file or directory")
	require.Empty(t, Problems(missing, nil))

	text, err := json.Marshal(&SpecError{File: "m.yaml", Line: 2, Column: 7, Field: "seed", Wrong: Wrong{"a", "b"},
		Source: "seed: a"})
	require.NoError(t, err)
	require.JSONEq(t, `{"file":"m.yaml","line":2,"column":7,"field":"seed","problem":"a: want b"}`, string(text))
}

// TestClientBounds checks that the bounds here are those of package delivery, by the errors that it
// returns.
func TestClientBounds(t *testing.T) {
	for _, row := range []struct {
		field       string
		most        delivery.Config
		above       delivery.Config
		set, setTwo string
	}{
		{"client.max_idle", delivery.Config{MaxIdle: maxIdle}, delivery.Config{MaxIdle: maxIdle + 1}, fmt.Sprint(maxIdle),
			fmt.Sprint(maxIdle + 1)},
		{"client.max_attempts", delivery.Config{Retry: delivery.Retry{MaxAttempts: MaxAttempts}},
			delivery.Config{Retry: delivery.Retry{MaxAttempts: MaxAttempts + 1}}, fmt.Sprint(MaxAttempts),
			fmt.Sprint(MaxAttempts + 1)},
		{"client.retry_cap", delivery.Config{Retry: delivery.Retry{Cap: MaxTimeout.Std()}},
			delivery.Config{Retry: delivery.Retry{Cap: MaxTimeout.Std() + 1}}, "24h", "24h1ns"},
		{"client.total_timeout", delivery.Config{Timeouts: delivery.Timeouts{Total: MaxTimeout.Std()}},
			delivery.Config{Timeouts: delivery.Timeouts{Total: MaxTimeout.Std() + 1}}, "24h", "24h1ns"},
	} {
		require.NoError(t, row.most.Validate())
		require.Error(t, row.above.Validate())
		s := Default()
		s.Name = "x"
		require.NoError(t, s.Set(row.field+"="+row.set))
		require.NoError(t, s.Validate())
		require.NoError(t, s.Set(row.field+"="+row.setTwo))
		require.ErrorContains(t, s.Validate(), row.field)
	}
}

// TestMistakesTellNoSecret checks that a report doesn't quote a secret that a file contains against
// the rules: the report may end up in the log of a build.
func TestMistakesTellNoSecret(t *testing.T) {
	for _, text := range []string{
		"name: x\nclient:\n  headers:\n    - name: Authorization\n      value: Bearer 8161\n",
		"name: x\nclient:\n  headers:\n    - {name: X-Api-Key, value: '8161', more: 1}\n",
		"name: x\nclient:\n  headers:\n    - name: X-Tenant\n      value: 8161\n",
		"name: x\nclient:\n  headers:\n    - name: X-Tenant\n      value: [8161]\n",
		"name: x\nclient:\n  headers:\n    - value: \"8161\n      name: Authorization\n",
		"name: x\nclient:\n  headers:\n    - name: Authorization\n      value: 8161: 1\n",
		"name: x\nclient:\n  headers:\n    - name: Authorization\n      valu: 8161\n",
		"name: x\nclient:\n  heders: [{name: Authorization, value: 8161}]\n",
	} {
		_, err := Parse("m.yaml", []byte(text))
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "8161", text)
		for _, mistake := range Problems("m.yaml", err) {
			require.NotContains(t, mistake.Excerpt(), "8161", text)
			asJSON, err := json.Marshal(mistake)
			require.NoError(t, err)
			require.NotContains(t, string(asJSON), "8161", text)
		}
	}
}
