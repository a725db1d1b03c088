package project

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const whole = `# What a project may say.
benchmarks:
  - packages: [./delivery, ./...]
    run: Push|Verify|Reference
    skip: 'Own$'
    count: 6
    references: {Push: ReferenceBareSockets, BenchmarkPush/size=1MB: BenchmarkReference}
  - {packages: [./parse], run: .}
units:
  tokens/op: {better: higher}
  waits/op: {better: lower}
targets:
  - {name: allocations, figure: benchmarks/delivery.Push allocs/op, at_most: 60, enforced_by: delivery.TestAllocations}
  - {name: bytes, figure: streaming/100 MB peak growth B, at_most: 8MiB}
  - {name: decimal bytes, figure: benchmarks/delivery.Push B/op, at_most: 5.5 kB}
  - {name: ratio, figure: benchmarks/delivery.Push ratio, at_most: 1.15x}
  - {name: requests, figure: rollout deliver requests/device, exactly: 2}
  - {name: rate, figure: rollout deliver ops/s, at_least: 7000}
  - {name: cost, figure: profiling/push percent more, at_most: 3%}
  - name: time
    figure: benchmarks/delivery.Push ns/op
    between: [35µs, 0.04 ms]
    machine: i7-10700F
anti_patterns:
  - {name: a leak, tests: [delivery.TestLeaks, internal/wire.TestNames]}
commands:
  - {name: quick, run: "go test -bench . ./delivery"}
  - name: two steps
    run:
      - go test -bench . ./delivery > current.txt
      - go tool benchstat BASELINE_METRICS.md current.txt
client:
  build: go build -o {out} ./cmd/bench
  packages: [./delivery/..., .]
  command: ["{out}", -v]
  own: [example.com/client.]
gate: {scenarios: [push.yaml, integration], tolerances: {ns/op: 7.5%}}
baseline: {scenarios: [bench/push.yaml, throughput]}
`

func TestParseConfig(t *testing.T) {
	got, err := ParseConfig("fleetmark.yaml", []byte(whole))
	require.NoError(t, err)
	low := math.Inf(-1)
	require.Equal(t, Config{
		Benchmarks: []Benchmarks{
			{
				Packages: []string{"./delivery", "./..."}, Run: "Push|Verify|Reference", Skip: "Own$", Count: 6,
				References: map[string]string{"Push": "ReferenceBareSockets", "Push/size=1MB": "Reference"},
				Where:      "fleetmark.yaml:3:5",
			},
			{Packages: []string{"./parse"}, Run: ".", Count: 10, Where: "fleetmark.yaml:8:5"},
		},
		Units: map[string]Unit{"tokens/op": {HigherIsBetter: true}, "waits/op": {}},
		Targets: []Target{
			{Name: "allocations", Figure: "benchmarks/delivery.Push allocs/op", Limit: Limit{low, 60, FormNumber},
				EnforcedBy: "delivery.TestAllocations"},
			{Name: "bytes", Figure: "streaming/100 MB peak growth B", Limit: Limit{low, 8388608, FormBytes}},
			{Name: "decimal bytes", Figure: "benchmarks/delivery.Push B/op", Limit: Limit{low, 5500, FormDecimalBytes}},
			{Name: "ratio", Figure: "benchmarks/delivery.Push ratio", Limit: Limit{low, 1.15, FormFactor}},
			{Name: "requests", Figure: "rollout deliver requests/device", Limit: Limit{2, 2, FormNumber}},
			{Name: "rate", Figure: "rollout deliver ops/s", Limit: Limit{7000, math.Inf(1), FormNumber}},
			{Name: "cost", Figure: "profiling/push percent more", Limit: Limit{low, 3, FormPercent}},
			{Name: "time", Figure: "benchmarks/delivery.Push ns/op", Limit: Limit{35000, 40000, FormDuration},
				Machine: "i7-10700F"},
		},
		AntiPatterns: []AntiPattern{{Name: "a leak", Tests: []string{"delivery.TestLeaks", "internal/wire.TestNames"}}},
		Commands: []Command{
			{Name: "quick", Run: []string{"go test -bench . ./delivery"}},
			{Name: "two steps", Run: []string{"go test -bench . ./delivery > current.txt",
				"go tool benchstat BASELINE_METRICS.md current.txt"}},
		},
		Client: Client{
			Build: "go build -o {out} ./cmd/bench", Packages: []string{"./delivery/...", "."},
			Command: []string{"{out}", "-v"}, Own: []string{"example.com/client."},
		},
		Gate: Gate{
			Scenarios:  []string{"push.yaml", "integration"},
			Tolerances: []Tolerance{{"ns/op", 0.075, "fleetmark.yaml:37:58: gate.tolerances.ns/op"}},
		},

		Baseline: Baseline{Scenarios: []string{"bench/push.yaml", "throughput"}},
	}, got)
	require.Equal(t, []string{"Reference", "ReferenceBareSockets"}, got.Benchmarks[0].Referenced())
}

func TestParseConfig_empty(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing yet\n", "---\n", "\ufeff# with a byte order mark\n"} {
		got, err := ParseConfig("fleetmark.yaml", []byte(text))
		require.NoError(t, err, "%q", text)
		require.Equal(t, Config{}, got)
	}
}

// TestParseConfig_mistakes checks that each mistake is reported with its position, which « marks
// here, and with what is wanted.
func TestParseConfig_mistakes(t *testing.T) {
	const (
		sections  = "benchmarks, units, targets, anti_patterns, commands, client, gate, baseline"
		benchmark = "benchmarks: [{packages: [a], run: x, "
		target    = "targets:\n  - {name: a, figure: b, "
		quantity  = "want a number, alone or with a unit, such as 0.01, 8MiB, 35µs, 3% or 1.15x"
		span      = "targets[0].between: want the smaller end first, and both of one kind, such as [35µs, 40µs]"
		isText    = "want text; put it in quotes if that is what is meant"
	)
	for text, want := range map[string]string{
		"«benchmark: []":                       `unknown key "benchmark": want one of ` + sections,
		"«- a":                                 "a list: want a mapping of " + sections,
		"«7: x":                                `key "7": want text`,
		"a: b\n---\n«c: d":                     "a second document: want one configuration a file",
		strings.Repeat("[", 100) + "«[":        "lists and mappings within each other, over 100 deep: want a configuration",
		"a:\n«\tb: 1":                          "not YAML: a tab where a line is indented: want spaces",
		"benchmarks: «7":                       `benchmarks: "7": want a list`,
		"benchmarks: «[]":                      "benchmarks: is an empty list: want a value, or the key left out",
		"«benchmarks:":                         "benchmarks: has no value: want one, or the key left out",
		"benchmarks: [«./delivery]":            `benchmarks[0]: "./delivery": want a mapping of packages, run, skip, count, references`,
		"benchmarks:\n  - «run: Push":          "benchmarks[0]: lacks packages: want it",
		"benchmarks:\n  - «packages: [./a]":    "benchmarks[0]: lacks run: want it",
		benchmark + "count: 1}]\n«benchmarks:": "benchmarks: the key stands here a second time: want it once",

		"benchmarks: [{packages: [«-exec=x], run: x}]": `benchmarks[0].packages[0]: "-exec=x": want a package such as ./delivery or ./...`,
		"benchmarks: [{packages: [«'a b'], run: x}]":   `benchmarks[0].packages[0]: "a b": want a package such as ./delivery or ./...`,
		"benchmarks: [{packages: [a], run: «7}]":       `benchmarks[0].run: "7": ` + isText,
		"benchmarks: [{packages: [a], run: «''}]":      `benchmarks[0].run: "": want text on one line`,
		benchmark + "skip: «'a('}]": "benchmarks[0].skip: \"a(\": error parsing regexp: missing closing ): `a(`: " +
			"want a regular expression as go test -bench takes it",
		benchmark + "count: «0}]":             `benchmarks[0].count: "0": want a whole number from 1 to 1000`,
		benchmark + "count: «1.5}]":           `benchmarks[0].count: "1.5": want a whole number from 1 to 1000`,
		benchmark + "count: «'3'}]":           `benchmarks[0].count: "3": want a whole number from 1 to 1000`,
		benchmark + "references: {«A: A}}]":   "benchmarks[0].references.A: is its own reference: want another benchmark",
		benchmark + "references: {A: «[B]}}]": "benchmarks[0].references.A: a list: " + isText,

		"client: {build: «go build ./cmd/bench}": `client.build: "go build ./cmd/bench": ` +
			"want a command that writes a program to {out}, such as go build -o {out} ./cmd/bench",
		"client: «{own: [a]}": "client: lacks build and command: want one of them, or both",
		"client: {build: go build -o «{out} ./cmd/bench}": "not YAML: ',' or '}' must be specified: " +
			"want quotes around the value, if the { belongs to a text",
		"client: {command: [push, «{out}]}": `client.command[1]: a mapping; '{out}' in quotes would be text: ` +
			isText,
		"client: {build: «[a]}":                             "client.build: a list: " + isText,
		"client: {build: make, command: [push, «7]}":        `client.command[1]: "7": ` + isText,
		"client: {command: «push}":                          `client.command: "push": want a list`,
		"client: {build: 'make x', command: «['{out}']}":    "client.command: {out} is what client.build writes: want it there too",
		"client: {build: 'make {out}', command: «[python]}": "client.command: client.build writes a program to {out}: want it here too",
		"client: {command: [a], «packages: [./a]}":          "client.packages: want client.build, which writes the program with them to {out}",
		"client: {build: 'x {out}', packages: [«a/b]}":      `client.packages[0]: "a/b": want packages of this repository, such as ./delivery/...`,
		"gate: {tolerances: {ns/op: «5}}":                   "gate.tolerances.ns/op: \"5\": want a percentage, such as 5%",
		"gate: {tolerances: «[ns/op]}":                      "gate.tolerances: a list: want a mapping of metrics to tolerances, such as ns/op: 5%",
		"gate: {scenarios: «rollout}":                       `gate.scenarios: "rollout": want a list`,

		"units: {a: {better: «more}}": `units.a.better: "more": want lower or higher`,
		"units: {a: «{}}":             "units.a: lacks better: want it",
		"units: «[a]":                 "units: a list: want a mapping of units to what they are",

		target + "at_most: «ten}":                                     `targets[0].at_most: "ten": ` + quantity,
		target + "at_most: «1e9}":                                     `targets[0].at_most: "1e9": ` + quantity,
		target + "at_most: «.inf}":                                    `targets[0].at_most: ".inf": ` + quantity,
		target + "between: «3}":                                       `targets[0].between: "3": want a list of two quantities, such as [35µs, 40µs]`,
		target + "between: «[3, 2]}":                                  span,
		target + "between: «[3ns, 4MB]}":                              span,
		"targets: [«{name: a, figure: b}]":                            "targets[0]: lacks a limit: want one of at_most, at_least, exactly, between",
		"targets: [«{name: a, figure: b, at_most: 1, exactly: 2}]":    "targets[0]: has at_most and exactly: want one of them",
		target + "at_most: 1}\n  - «{name: a, figure: c, at_most: 2}": `targets[1]: a second target called "a": want each name once`,

		"anti_patterns: [{name: a, tests: [«TestA]}]": `anti_patterns[0].tests[0]: "TestA": want PACKAGE.TestName, such as delivery.TestAllocations`,
		"anti_patterns: [«{name: a}]":                 "anti_patterns[0]: lacks tests: want it",
		"commands: [{name: a, run: «[]}]":             "commands[0].run: is an empty list: want a value, or the key left out",
		`commands: [{name: «"a\nb", run: x}]`:         `commands[0].name: "a\nb": want text on one line`,
		"commands: «&a []":                            "commands: an anchor, alias or tag: want a list",
	} {
		before, after, marked := strings.Cut(text, "«")
		require.True(t, marked, text)
		lastLine := before[strings.LastIndex(before, "\n")+1:]
		place := fmt.Sprintf("f.yaml:%d:%d: ", strings.Count(before, "\n")+1, len([]rune(lastLine))+1)
		_, err := ParseConfig("f.yaml", []byte(before+after))
		require.EqualError(t, err, place+want, "%s", text)
	}
}

func TestParseConfig_tellsAllMistakes(t *testing.T) {
	_, err := ParseConfig("f.yaml", []byte("targets: 7\nbenchmarks: 8\nelse: 9\n"))
	require.EqualError(t, err, `f.yaml:1:10: targets: "7": want a list
f.yaml:2:13: benchmarks: "8": want a list
f.yaml:3:1: unknown key "else": want one of benchmarks, units, targets, anti_patterns, commands, client, gate, baseline`)
	_, err = ParseConfig("f.yaml", []byte(strings.Repeat("x: 1\n", 100)))
	require.ErrorContains(t, err, "\nf.yaml: and 80 more")
	require.Equal(t, 20, strings.Count(err.Error(), "\n"))
}

func TestLimit(t *testing.T) {
	format := func(v float64) string { return map[float64]string{2: "two", 3: "three"}[v] }
	for _, c := range []struct {
		limit      Limit
		text       string
		in, beyond float64
	}{
		{Limit{Low: math.Inf(-1), High: 2}, "≤ two", 2, 2.01},
		{Limit{Low: 2, High: math.Inf(1)}, "≥ two", 2, 1.99},
		{Limit{Low: 2, High: 2}, "two", 2, 1},
		{Limit{Low: 2, High: 3}, "two to three", 2.5, 3.5},
	} {
		require.Equal(t, c.text, c.limit.Text(format))
		require.True(t, c.limit.Holds(c.in), c.text)
		require.False(t, c.limit.Holds(c.beyond), c.text)
		require.False(t, c.limit.Holds(math.NaN()), c.text)
	}
}

// FuzzParseConfig checks that any file is either read or rejected with the positions of its
// mistakes.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("targets: [{name: a, figure: b, between: [1x, 2x]}]"))
	f.Add([]byte("benchmarks:\n\t- x"))
	f.Add([]byte("a: &b {c: *b}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig("f.yaml", text)
		if err != nil {
			for _, e := range flatten(err) {
				require.IsType(t, &ConfigError{}, e)
				require.NotContains(t, e.Error(), "\n")
				require.True(t, strings.HasPrefix(e.Error(), "f.yaml:"), e.Error())
			}
			return
		}
		for _, b := range c.Benchmarks {
			require.NotEmpty(t, b.Packages)
			require.NotEmpty(t, b.Run)
			require.Positive(t, b.Count)
		}
		for _, target := range c.Targets {
			require.NotEmpty(t, target.Name)
			require.LessOrEqual(t, target.Limit.Low, target.Limit.High)
		}
		for _, a := range c.AntiPatterns {
			require.NotEmpty(t, a.Tests)
		}
	})
}

func flatten(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}
