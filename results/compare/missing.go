package compare

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// procsKey is the projection key of GOMAXPROCS, the number that ends a benchmark's name.
const procsKey = "/gomaxprocs"

// inputKeys holds the configurations and names of the benchmarks of an input, to explain why none
// of them could be compared.
type inputKeys struct {
	label  string
	values map[string]map[string]bool // of each configuration key, and of procsKey
	names  map[string]bool            // of benchmarks, without GOMAXPROCS
}

func newInputKeys(label string) *inputKeys {
	return &inputKeys{label: label, values: map[string]map[string]bool{}, names: map[string]bool{}}
}

// maxValues bounds how many values of a key are recorded.
const maxValues = 64

func (k *inputKeys) add(result *benchfmt.Result) {
	put := func(key, value string) {
		set := k.values[key]
		if set == nil {
			set = map[string]bool{}
			k.values[key] = set
		}
		if len(set) < maxValues {
			set[value] = true
		}
	}
	for _, c := range result.Config {
		if c.File {
			put(c.Key, string(c.Value))
		}
	}
	name, procs := result.Name.String(), "1"
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n > 0 {
			name, procs = name[:i], name[i+1:]
		}
	}
	put(procsKey, procs)
	if len(k.names) < maxValues {
		k.names[name] = true
	}
}

// nothingInCommon returns a sentence that says why two inputs have no benchmark in common: which
// keys differ, and which flag makes them comparable.
func nothingInCommon(base, other *inputKeys) string {
	var differ, keys []string
	all := map[string]bool{}
	for _, k := range []*inputKeys{base, other} {
		for key := range k.values {
			all[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		a, b := base.values[key], other.values[key]
		if intersect(a, b) {
			continue
		}
		differ = append(differ,
			fmt.Sprintf("%s is %s in %s and %s in %s", key, firstFew(a), base.label, firstFew(b), other.label))
		keys = append(keys, key)
	}
	const nothing = "no benchmark of the same configuration and unit is in two inputs, so nothing was compared"
	switch {
	case !intersect(base.names, other.names):
		return fmt.Sprintf("%s: %s has %s, and %s %s",
			nothing, base.label, firstFew(base.names), other.label, firstFew(other.names))
	case len(keys) == 0:
		return nothing
	}
	return fmt.Sprintf("%s: %s; --ignore %s lets them meet",
		nothing, strings.Join(differ, ", "), strings.Join(keys, ","))
}

// intersect reports whether two sets have a value in common, or are both empty.
func intersect(a, b map[string]bool) bool {
	for v := range a {
		if b[v] {
			return true
		}
	}
	return len(a) == 0 && len(b) == 0
}

// firstFew returns the first few values of a set, quoted, and the number of the others.
func firstFew(set map[string]bool) string {
	const maxNamed = 3
	list := slices.Sorted(maps.Keys(set))
	if len(list) == 0 {
		return "absent"
	}
	var named []string
	for _, v := range list[:min(len(list), maxNamed)] {
		named = append(named, strconv.Quote(v))
	}
	text := strings.Join(named, ", ")
	if more := len(list) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// maxMissing bounds how many missing and new benchmarks are named.
const maxMissing = 20

// A rowUnits holds the metrics of a benchmark that each input has.
type rowUnits struct {
	name  string                     // with its package, which distinguishes benchmarks of the same name
	units []string                   // that any input has
	has   map[string]map[string]bool // by input and unit
}

// rowUnits returns the benchmarks of all tables, in their order.
func (c *Comparison) rowUnits() (rows []*rowUnits) {
	byName := map[string]*rowUnits{}
	for _, t := range c.Tables {
		_, unit := benchunit.Tidy(1, t.Unit) // values of zero, in ns/op, have a table of their own
		for _, r := range t.Rows {
			name := r.Name + configText(t.Config)
			row := byName[name]
			if row == nil {
				row = &rowUnits{name: name, has: map[string]map[string]bool{}}
				byName[name], rows = row, append(rows, row)
			}
			if !slices.Contains(row.units, unit) {
				row.units = append(row.units, unit)
			}
			for i, cell := range r.Cells {
				if cell == nil {
					continue
				}
				if row.has[t.Columns[i]] == nil {
					row.has[t.Columns[i]] = map[string]bool{}
				}
				row.has[t.Columns[i]][unit] = true
			}
		}
	}
	return rows
}

// missing returns a sentence for each benchmark, and each metric of a benchmark, that only the base
// or only another input has.
func (c *Comparison) missing() (list []string) {
	rows := c.rowUnits()
	base := c.Inputs[0]
	for _, label := range slices.Compact(slices.Clone(c.Inputs[1:])) {
		if label == base {
			continue
		}
		add := func(what string, had bool) {
			word := "new"
			if had {
				word = "missing"
			}
			list = append(list, fmt.Sprintf("%s is %s in %s", what, word, label))
		}
		for _, row := range rows {
			old, now := row.has[base], row.has[label]
			switch {
			case (old == nil) != (now == nil):
				add(row.name, old != nil)
			case old != nil:
				for _, unit := range row.units {
					if old[unit] != now[unit] {
						add(row.name+": "+unit, old[unit])
					}
				}
			}
		}
	}
	if more := len(list) - maxMissing; more > 0 {
		list = append(list[:maxMissing], fmt.Sprintf("%d more are missing or new", more))
	}
	return list
}

// configText returns the package of a benchmark, such as " (pkg a)". It tells benchmarks of the
// same name apart.
func configText(config []ConfigValue) string {
	for _, v := range config {
		if v.Key == "pkg" && v.Value != "" {
			return " (pkg " + v.Value + ")"
		}
	}
	return ""
}

// unevenMeans returns a sentence for each table whose geometric means are over different
// benchmarks.
func (c *Comparison) unevenMeans() []string {
	var list []string
	for _, t := range c.Tables {
		if len(t.Rows) < 2 {
			continue
		}
		counts := make([]string, len(t.Columns))
		uneven := false
		for i, col := range t.Columns {
			n := 0
			for _, r := range t.Rows {
				if r.Cells[i] != nil {
					n++
				}
				uneven = uneven || (r.Cells[i] == nil) != (r.Cells[0] == nil)
			}
			counts[i] = fmt.Sprintf("%d in %s", n, col)
		}
		if uneven {
			list = append(list, fmt.Sprintf("the geomeans of %s%s are over different benchmarks (%s): "+
				"only their ratio is over those that both have",
				t.Unit, configText(t.Config), strings.Join(counts, ", ")))
		}
	}
	return list
}
