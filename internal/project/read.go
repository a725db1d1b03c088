package project

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

const (
	defaultCount = 10   // samples of a benchmark: as many as benchstat's documentation asks for
	maxCount     = 1000 // samples of a benchmark
)

// ParseConfig parses a configuration. file names it in errors. The error joins a [*ConfigError] for
// each mistake, in the order of the file; the Config must then not be used.
func ParseConfig(file string, text []byte) (Config, error) {
	t := &tree{file: file}
	root, err := t.parse(text)
	if err != nil || root == nil {
		return Config{}, err
	}
	var c Config
	t.mapping(root, "",
		key{"benchmarks", appendEach(t, &c.Benchmarks, t.benchmarks)},
		key{"units", func(n ast.Node, field string) { c.Units = t.units(n, field) }},
		key{"targets", appendEach(t, &c.Targets, func(n ast.Node, field string) Target {
			return t.target(n, field, c.Targets)
		})},
		key{"anti_patterns", appendEach(t, &c.AntiPatterns, t.antiPattern)},
		key{"commands", appendEach(t, &c.Commands, t.command)},
		key{"client", func(n ast.Node, field string) { c.Client = t.client(n, field) }},
		key{"gate", func(n ast.Node, field string) {
			t.mapping(n, field, key{"scenarios", t.intoAll(&c.Gate.Scenarios)},
				key{"tolerances", func(n ast.Node, field string) { c.Gate.Tolerances = t.tolerances(n, field) }})
		}},
		key{"baseline", func(n ast.Node, field string) {
			t.mapping(n, field, key{"scenarios", t.intoAll(&c.Baseline.Scenarios)})
		}},
	)
	return c, t.err()
}

// each returns a function that reads a list, and calls read for each of its values.
func (t *tree) each(read func(n ast.Node, field string)) func(n ast.Node, field string) {
	return func(n ast.Node, field string) { t.list(n, field, read) }
}

// appendEach returns a function that reads a list and appends what read returns for each value.
func appendEach[T any](t *tree, list *[]T, read func(n ast.Node, field string) T) func(n ast.Node, field string) {
	return t.each(func(n ast.Node, field string) { *list = append(*list, read(n, field)) })
}

// into returns a function that reads a string into s.
func (t *tree) into(s *string) func(n ast.Node, field string) {
	return func(n ast.Node, field string) { *s, _ = t.text(n, field) }
}

// intoAll returns a function that reads a list of strings into s.
func (t *tree) intoAll(s *[]string) func(n ast.Node, field string) {
	return t.each(func(n ast.Node, field string) {
		if text, ok := t.text(n, field); ok {
			*s = append(*s, text)
		}
	})
}

// require rejects a mapping that lacks one of the keys. has is what [tree.mapping] returned;
// require does nothing if it is nil, since the node was rejected already.
func (t *tree) require(n ast.Node, field string, has map[string]ast.Node, keys ...string) {
	for _, k := range keys {
		if _, ok := has[k]; has != nil && !ok {
			t.reject(n, field, "lacks %s: want it", k)
		}
	}
}

func (t *tree) benchmarks(n ast.Node, field string) Benchmarks {
	b := Benchmarks{Count: defaultCount}
	line, column := position(yamlnode.First(n))
	b.Where = fmt.Sprintf("%s:%d:%d", t.file, line, column)
	has := t.mapping(n, field,
		key{"packages", t.each(func(n ast.Node, field string) {
			if p, ok := t.packagePattern(n, field); ok {
				b.Packages = append(b.Packages, p)
			}
		})},
		key{"run", func(n ast.Node, field string) { b.Run = t.pattern(n, field) }},
		key{"skip", func(n ast.Node, field string) { b.Skip = t.pattern(n, field) }},
		key{"count", func(n ast.Node, field string) { b.Count, _ = t.count(n, field, maxCount) }},
		key{"references", func(n ast.Node, field string) { b.References = t.references(n, field) }},
	)
	t.require(n, field, has, "packages", "run")
	return b
}

// outPlaceholder stands for the program that a build command writes.
const outPlaceholder = "{out}"

func (t *tree) client(n ast.Node, field string) Client {
	var c Client
	var build, command ast.Node
	before := len(t.mistakes)
	has := t.mapping(n, field,
		key{"build", func(n ast.Node, field string) {
			build = n
			c.Build, _ = t.text(n, field)
		}},
		key{"packages", t.each(func(n ast.Node, field string) {
			p, ok := t.packagePattern(n, field)
			if ok && p != "." && !strings.HasPrefix(p, "./") {
				t.reject(n, field, "%s: want packages of this repository, such as ./delivery/...", quoted(p))
			}
			c.Packages = append(c.Packages, p)
		})},
		key{"command", func(n ast.Node, field string) {
			command = n
			t.intoAll(&c.Command)(n, field)
		}},
		key{"own", t.intoAll(&c.Own)},
	)
	if has == nil {
		return c
	}
	if has["build"] == nil && has["command"] == nil {
		if len(t.mistakes) > before { // such as a key that is misspelled
			return c
		}
		t.reject(n, field, "lacks build and command: want one of them, or both")
		return c
	}
	writes := strings.Contains(c.Build, outPlaceholder)
	uses := slices.ContainsFunc(c.Command, func(w string) bool { return strings.Contains(w, outPlaceholder) })
	switch {
	case command == nil && c.Build != "" && !writes:
		t.reject(build, yamlnode.Join(field, "build"),
			"%s: want a command that writes a program to %s, such as go build -o %s ./cmd/bench",
			quoted(c.Build), outPlaceholder, outPlaceholder)
	case uses && !writes:
		t.reject(command, yamlnode.Join(field, "command"),
			"%s is what client.build writes: want it there too", outPlaceholder)
	case command != nil && writes && !uses:
		t.reject(command, yamlnode.Join(field, "command"),
			"client.build writes a program to %s: want it here too", outPlaceholder)
	case has["packages"] != nil && !writes:
		t.reject(has["packages"], yamlnode.Join(field, "packages"), "want client.build, which writes the program with them to %s",
			outPlaceholder)
	}
	return c
}

// packagePattern reads an argument of go test that names packages.
func (t *tree) packagePattern(n ast.Node, field string) (string, bool) {
	p, ok := t.text(n, field)
	if ok && (strings.HasPrefix(p, "-") || strings.ContainsAny(p, " \t'\"\\")) {
		t.reject(n, field, "%s: want a package such as ./delivery or ./...", quoted(p))
		return "", false
	}
	return p, ok
}

// pattern reads a regular expression.
func (t *tree) pattern(n ast.Node, field string) string {
	s, ok := t.text(n, field)
	if !ok {
		return ""
	}
	if _, err := regexp.Compile(s); err != nil {
		t.reject(n, field, "%s: %s: want a regular expression as go test -bench takes it",
			quoted(s), yamlnode.OneLine(err.Error()))
		return ""
	}
	return s
}

func (t *tree) references(n ast.Node, field string) map[string]string {
	all := map[string]string{}
	t.eachMember(n, field, "a mapping of benchmarks to their references", func(name string, key, value ast.Node) {
		reference, ok := t.text(value, yamlnode.Join(field, name))
		from, to := strings.TrimPrefix(name, "Benchmark"), strings.TrimPrefix(reference, "Benchmark")
		switch {
		case !ok:
		case strings.ContainsAny(from+to, " \t"):
			t.reject(key, yamlnode.Join(field, name), "want the names of two benchmarks, such as Push: ReferenceBareSockets")
		case from == to:
			t.reject(key, yamlnode.Join(field, name), "is its own reference: want another benchmark")
		default:
			all[from] = to
		}
	})
	return all
}

func (t *tree) units(n ast.Node, field string) map[string]Unit {
	all := map[string]Unit{}
	t.eachMember(n, field, "a mapping of units to what they are", func(name string, _, value ast.Node) {
		at := yamlnode.Join(field, name)
		has := t.mapping(value, at, key{"better", func(n ast.Node, field string) {
			switch s, _ := t.scalar(n); s {
			case "lower":
				all[name] = Unit{}
			case "higher":
				all[name] = Unit{HigherIsBetter: true}
			default:
				t.reject(n, field, "%s: want lower or higher", kind(n))
			}
		}})
		t.require(value, at, has, "better")
	})
	return all
}

func (t *tree) tolerances(n ast.Node, field string) (all []Tolerance) {
	t.eachMember(n, field, "a mapping of metrics to tolerances, such as ns/op: 5%", func(name string, key, value ast.Node) {
		at := yamlnode.Join(field, name)
		v, form, ok := t.quantity(value, at)
		if !ok {
			return
		}
		if form != FormPercent {
			t.reject(value, at, "%s: want a percentage, such as 5%%", kind(value))
			return
		}
		line, column := position(yamlnode.First(key))
		all = append(all, Tolerance{name, v / 100, fmt.Sprintf("%s:%d:%d: %s", t.file, line, column, at)})
	})
	return all
}

func (t *tree) target(n ast.Node, field string, before []Target) Target {
	var target Target
	low, high := math.Inf(-1), math.Inf(1)
	var limits []string
	limit := func(name string, set func(float64)) key {
		return key{name, func(n ast.Node, field string) {
			limits = append(limits, name)
			if v, form, ok := t.quantity(n, field); ok {
				target.Limit.Form = form
				set(v)
			}
		}}
	}
	has := t.mapping(n, field,
		key{"name", t.into(&target.Name)},
		key{"figure", t.into(&target.Figure)},
		limit("at_most", func(v float64) { high = v }),
		limit("at_least", func(v float64) { low = v }),
		limit("exactly", func(v float64) { low, high = v, v }),
		key{"between", func(n ast.Node, field string) {
			limits = append(limits, "between")
			low, high, target.Limit.Form = t.span(n, field)
		}},
		key{"enforced_by", t.into(&target.EnforcedBy)},
		key{"machine", t.into(&target.Machine)},
	)
	t.require(n, field, has, "name", "figure")
	target.Limit.Low, target.Limit.High = low, high
	switch {
	case has == nil:
	case len(limits) == 0:
		t.reject(n, field, "lacks a limit: want one of at_most, at_least, exactly, between")
	case len(limits) > 1:
		t.reject(n, field, "has %s: want one of them", strings.Join(limits, " and "))
	}
	if target.Name != "" && slices.ContainsFunc(before, func(b Target) bool { return b.Name == target.Name }) {
		t.reject(n, field, "a second target called %s: want each name once", quoted(target.Name))
	}
	return target
}

// quantity reads a number with an optional unit.
func (t *tree) quantity(n ast.Node, field string) (float64, Form, bool) {
	s, ok := t.scalar(n)
	var v float64
	var form Form
	if ok {
		v, form, ok = parseQuantity(s)
	}
	if !ok {
		t.reject(n, field, "%s: want a number, alone or with a unit, such as 0.01, 8MiB, 35µs, 3%% or 1.15x", kind(n))
	}
	return v, form, ok
}

// span reads the two ends of a range.
func (t *tree) span(n ast.Node, field string) (low, high float64, form Form) {
	s, ok := n.(*ast.SequenceNode)
	if !ok || len(s.Values) != 2 {
		t.reject(n, field, "%s: want a list of two quantities, such as [35µs, 40µs]", kind(n))
		return 0, 0, ""
	}
	low, lowForm, ok1 := t.quantity(s.Values[0], field+"[0]")
	high, form, ok2 := t.quantity(s.Values[1], field+"[1]")
	if ok1 && ok2 && (low > high || lowForm != form) {
		t.reject(n, field, "want the smaller end first, and both of one kind, such as [35µs, 40µs]")
	}
	return low, high, form
}

func (t *tree) antiPattern(n ast.Node, field string) AntiPattern {
	var a AntiPattern
	has := t.mapping(n, field, key{"name", t.into(&a.Name)}, key{"tests", t.each(func(n ast.Node, field string) {
		test, ok := t.text(n, field)
		pkg, name, _ := strings.Cut(test, ".")
		if ok && (pkg == "" || name == "" || strings.Contains(name, "/")) {
			t.reject(n, field, "%s: want PACKAGE.TestName, such as delivery.TestAllocations", quoted(test))
			return
		}
		a.Tests = append(a.Tests, test)
	})})
	t.require(n, field, has, "name", "tests")
	return a
}

func (t *tree) command(n ast.Node, field string) Command {
	var c Command
	has := t.mapping(n, field, key{"name", t.into(&c.Name)}, key{"run", func(n ast.Node, field string) {
		if _, many := n.(*ast.SequenceNode); many {
			t.intoAll(&c.Run)(n, field)
		} else if line, ok := t.text(n, field); ok {
			c.Run = []string{line}
		}
	}})
	t.require(n, field, has, "name", "run")
	return c
}

// parseDecimal parses a plain decimal, without an exponent. It reports false for any other number.
func parseDecimal(s string) (float64, bool) {
	if strings.Trim(strings.TrimPrefix(s, "-"), "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// Referenced returns the sorted names of the benchmarks that serve as a reference.
func (b Benchmarks) Referenced() []string {
	return slices.Compact(slices.Sorted(maps.Values(b.References)))
}
