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

// procsKey is how projections name the number that ends a benchmark's name.
const procsKey = "/gomaxprocs"

// inputKeys holds what tells the benchmarks of an input apart: the values of each key.
type inputKeys struct {
	label  string
	values map[string]map[string]bool // by key: of the configuration, and procsKey
	names  map[string]bool            // without GOMAXPROCS
}

func newInputKeys(label string) *inputKeys {
	return &inputKeys{label: label, values: map[string]map[string]bool{}, names: map[string]bool{}}
}

// maxValues bounds how many values of a key are kept.
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

// nothingInCommon returns why two inputs have no benchmark that can be compared: which keys differ, and the
// flag that compares them nevertheless.
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
		if meet(a, b) {
			continue
		}
		differ = append(differ, fmt.Sprintf("%s is %s in %s and %s in %s", key, oneOf(a), base.label, oneOf(b), other.label))
		keys = append(keys, key)
	}
	const nothing = "no benchmark of the same configuration and unit is in two inputs, so nothing was compared"
	switch {
	case !meet(base.names, other.names):
		return fmt.Sprintf("%s: %s has %s, and %s %s", nothing, base.label, oneOf(base.names), other.label, oneOf(other.names))
	case len(keys) == 0:
		return nothing
	}
	return fmt.Sprintf("%s: %s; --ignore %s lets them meet", nothing, strings.Join(differ, ", "), strings.Join(keys, ","))
}

// meet reports whether two sets have a value in common, or are both empty.
func meet(a, b map[string]bool) bool {
	for v := range a {
		if b[v] {
			return true
		}
	}
	return len(a) == 0 && len(b) == 0
}

// oneOf returns the first few values of a set, as text.
func oneOf(set map[string]bool) string {
	const most = 3
	list := slices.Sorted(maps.Keys(set))
	if len(list) == 0 {
		return "absent"
	}
	var named []string
	for _, v := range list[:min(len(list), most)] {
		named = append(named, strconv.Quote(v))
	}
	text := strings.Join(named, ", ")
	if more := len(list) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// maxMissing bounds how many benchmarks are named that an input lacks or adds.
const maxMissing = 20

// missing returns a sentence about each benchmark, and each metric of a benchmark, that another column lacks
// though the first has it, or has though the first lacks it.
func (c *Comparison) missing() []string {
	type row struct{ config, name string }
	var rows []row
	units := map[row][]string{}
	has := map[row]map[string]map[string]bool{} // by column and unit
	for _, t := range c.Tables {
		_, unit := benchunit.Tidy(1, t.Unit) // zeros stand in a table apart
		for _, r := range t.Rows {
			k := row{configText(t.Config), r.Name}
			if has[k] == nil {
				has[k] = map[string]map[string]bool{}
				rows = append(rows, k)
			}
			if !slices.Contains(units[k], unit) {
				units[k] = append(units[k], unit)
			}
			for i, cell := range r.Cells {
				if cell == nil {
					continue
				}
				if has[k][t.Columns[i]] == nil {
					has[k][t.Columns[i]] = map[string]bool{}
				}
				has[k][t.Columns[i]][unit] = true
			}
		}
	}
	var list []string
	base := c.Inputs[0]
	for _, label := range slices.Compact(slices.Clone(c.Inputs[1:])) {
		if label == base {
			continue
		}
		for _, k := range rows {
			name, old, now := k.name+k.config, has[k][base], has[k][label]
			switch {
			case old == nil && now != nil:
				list = append(list, fmt.Sprintf("%s is new in %s", name, label))
			case old != nil && now == nil:
				list = append(list, fmt.Sprintf("%s is missing in %s", name, label))
			case old != nil:
				for _, u := range units[k] {
					if old[u] != now[u] {
						list = append(list, fmt.Sprintf("%s: %s is %s in %s", name, u, map[bool]string{true: "missing", false: "new"}[old[u]], label))
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

// configText returns what tells benchmarks of the same name apart, such as " (pkg a)".
func configText(config []ConfigValue) string {
	for _, v := range config {
		if v.Key == "pkg" && v.Value != "" {
			return " (pkg " + v.Value + ")"
		}
	}
	return ""
}

// unevenMeans returns a sentence about each unit whose geometric means are over different benchmarks.
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
			list = append(list, fmt.Sprintf("the geomeans of %s%s are over different benchmarks (%s): only their ratio is over those that both have", t.Unit, configText(t.Config), strings.Join(counts, ", ")))
		}
	}
	return list
}
