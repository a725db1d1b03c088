package view

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// pprof's defaults. Nodes (functions) and edges (calls) with less of the total are left out.
const (
	nodeFraction = 0.005
	edgeFraction = 0.001
)

// A table holds what "go tool pprof -top" shows of samples.
type table struct {
	set   *profiles.Samples // samples of the base are negated
	opts  TopOptions
	total int64

	nodes  []node
	at     map[string]int32 // nodes by name
	ofSite [][]int32        // for each location its nodes, the innermost first
}

// A node is a function, or a line of one.
type node struct {
	name      string
	flat, cum int64
}

// newTable sums the values of set by function, or by line. name returns their names.
func newTable(set *profiles.Samples, opts TopOptions, name naming) *table {
	t := &table{set: set, opts: opts, at: map[string]int32{}}
	t.ofSite = make([][]int32, len(set.Locations))
	for i, l := range set.Locations {
		lines := l.Line
		if len(lines) == 0 {
			lines = []profile.Line{{}}
		}
		for _, line := range lines {
			t.ofSite[i] = append(t.ofSite[i], t.node(name(l, line)))
		}
	}
	var ofBase int64
	last := make([]int, len(t.nodes)) // 1 + the last sample that counted for a node, so that recursion counts once
	for i := range set.Len() {
		value := set.Value(i)
		t.total = t.add(t.total, stack.Abs(value))
		if set.IsBase(i) {
			ofBase = t.add(ofBase, stack.Abs(value))
		}
		if value == 0 {
			continue
		}
		leaf := true
		for _, location := range set.Stack(i) {
			for _, n := range t.ofSite[location] {
				if leaf {
					t.nodes[n].flat = t.add(t.nodes[n].flat, value)
					leaf = false
				}
				if last[n] != i+1 {
					last[n] = i + 1
					t.nodes[n].cum = t.add(t.nodes[n].cum, value)
				}
			}
		}
	}
	if ofBase > 0 { // as in pprof, percentages of a difference are of the base
		t.total = ofBase
	}
	return t
}

func (t *table) node(name string) int32 {
	i, ok := t.at[name]
	if !ok {
		i = int32(len(t.nodes))
		t.at[name] = i
		t.nodes = append(t.nodes, node{name: name})
	}
	return i
}

func (t *table) add(a, b int64) int64 {
	sum, saturated := stack.AddSaturated(a, b)
	t.set.Saturated = t.set.Saturated || saturated
	return sum
}

// choose returns the nodes that are shown, in order; how many nodes were dropped as noise; and how
// many were left before the limit on lines.
func (t *table) choose(noise float64) (shown []int32, dropped, all int) {
	var flat int64
	for i, n := range t.nodes {
		flat = t.add(flat, n.flat)
		if n.flat != 0 || n.cum != 0 {
			shown = append(shown, int32(i))
		}
	}
	before := len(shown)
	if cutoff := fractionOf(flat, noise); cutoff > 0 {
		shown = slices.DeleteFunc(shown, func(i int32) bool { return stack.Abs(t.nodes[i].cum) < cutoff })
	}
	all = len(shown)
	slices.SortFunc(shown, func(i, j int32) int {
		a, b := t.nodes[i], t.nodes[j]
		bySize := cmp.Compare(stack.Abs(b.flat), stack.Abs(a.flat))
		if t.opts.Cumulative {
			bySize = cmp.Compare(stack.Abs(b.cum), stack.Abs(a.cum))
		}
		return cmp.Or(bySize, cmp.Compare(a.name, b.name))
	})
	if most := cmp.Or(t.opts.Lines, defaultLines); most > 0 && most < len(shown) {
		shown = slices.Clip(shown[:most])
	}
	return shown, before - all, all
}

func fractionOf(sum int64, fraction float64) int64 { return stack.Abs(int64(float64(sum) * fraction)) }

// rows returns the nodes whose value is at least the share noise, in order.
func (t *table) rows(noise float64) []Row {
	shown, _, _ := t.choose(noise)
	unit := t.set.Type().Unit
	rows := make([]Row, len(shown))
	for i, n := range shown {
		rows[i] = Row{Function: t.nodes[n].name, Flat: t.nodes[n].flat, Cum: t.nodes[n].cum, Unit: unit}
	}
	return rows
}

// notes returns a note if a sum overflowed.
func (t *table) notes() []string {
	if !t.set.Saturated {
		return nil
	}
	return []string{saturatedNote}
}

const saturatedNote = "sums beyond 2^63-1 (9223372036854775807) are shown as that, and shares are of what is shown"

// writeText writes the notes, and below them the table in pprof's layout.
func (t *table) writeText(w io.Writer, notes []string) error {
	shown, dropped, all := t.choose(nodeFraction)
	inlined := t.inlined(shown, len(shown) == all && dropped == 0)
	from := t.set.Type().Unit
	to := t.unit(shown, from)
	format := func(v int64) string { return formatAs(v, from, to) }

	var text strings.Builder
	line := func(s string) { text.WriteString(profiles.Printable(s) + "\n") }
	for _, n := range slices.Concat(t.notes(), notes) {
		line("note: " + n)
	}
	for _, l := range t.heading(format) {
		line(l)
	}
	var sum int64
	for _, n := range shown {
		sum = t.add(sum, t.nodes[n].flat)
	}
	line(fmt.Sprintf("Showing nodes accounting for %s, %s of %s total",
		format(sum), strings.TrimSpace(percentage(sum, t.total)), format(t.total)))
	if t.total != 0 && dropped > 0 {
		cutoff := format(fractionOf(t.total, nodeFraction))
		line(fmt.Sprintf("Dropped %s (cum <= %s)", plaintext.Count(dropped, "node"), cutoff))
	}
	if t.total != 0 && len(shown) > 0 && len(shown) < all {
		line(fmt.Sprintf("Showing top %d nodes out of %d", len(shown), all))
	}
	fmt.Fprintf(&text, "%10s %5s%% %5s%% %10s %5s%%\n", "flat", "flat", "sum", "cum", "cum")
	sum = 0
	for _, n := range shown {
		node := t.nodes[n]
		sum = t.add(sum, node.flat)
		fmt.Fprintf(&text, "%10s %s %s %10s %s  %s%s\n",
			format(node.flat), percentage(node.flat, t.total), percentage(sum, t.total),
			format(node.cum), percentage(node.cum, t.total), profiles.Printable(node.name), inlined[n])
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// unit returns the unit in which the table's values are shown.
func (t *table) unit(shown []int32, from string) string {
	if len(shown) == 0 {
		return "minimum"
	}
	var least int64
	for _, n := range shown {
		if v := cmp.Or(stack.Abs(t.nodes[n].flat), stack.Abs(t.nodes[n].cum)); v > 0 && (least == 0 || v < least) {
			least = v
		}
	}
	return bestUnit(cmp.Or(least, t.total), t.total, from)
}

// heading returns the lines that describe the profile.
func (t *table) heading(format func(int64) string) (lines []string) {
	p := t.set.Header
	if len(p.Mapping) > 0 {
		m := p.Mapping[0]
		u, err := url.Parse(m.File)
		// A URL isn't the name of a program: the profile was fetched from there.
		if from := err == nil && u.IsAbs() && m.BuildID == ""; m.File != "" && !from {
			lines = append(lines, "File: "+filepath.Base(m.File))
		}
		if m.BuildID != "" {
			lines = append(lines, "Build ID: "+m.BuildID)
		}
	}
	for _, c := range p.Comments {
		if !strings.HasPrefix(c, "#") {
			lines = append(lines, c)
		}
	}
	if kind := t.set.Type().Type; kind != "" {
		lines = append(lines, "Type: "+kind)
	}
	if p.DocURL != "" {
		lines = append(lines, "Doc: "+p.DocURL)
	}
	if p.TimeNanos != 0 {
		lines = append(lines, "Time: "+time.Unix(0, p.TimeNanos).Format("2006-01-02 15:04:05 MST"))
	}
	if p.DurationNanos != 0 {
		share := ""
		if v, name := inUnit(float64(t.total), t.set.Type().Unit, "nanoseconds"); name == "ns" && v != 0 {
			share = "(" + percentage(int64(v), p.DurationNanos) + ")"
		}
		lines = append(lines, fmt.Sprintf("Duration: %s, Total samples = %s %s",
			formatAs(p.DurationNanos, "nanoseconds", "minimum"), format(t.total), share))
	}
	return lines
}

// inlined returns a suffix for each shown node that is inlined into all of its callers, or into
// some. As in pprof, functions that aren't shown are skipped when a caller is looked for. all says
// that no node was left out; then nodes whose values cancel out are callers too.
func (t *table) inlined(shown []int32, all bool) map[int32]string {
	type call struct{ from, to int32 }
	type calls struct {
		value  int64
		inline bool
	}
	kept := make([]bool, len(t.nodes))
	var flat int64
	for i, n := range t.nodes {
		flat, _ = stack.AddSaturated(flat, n.flat)
		kept[i] = all
	}
	for _, n := range shown {
		kept[n] = true
	}
	sums := map[call]*calls{}
	var seen []call
	for i := range t.set.Len() {
		value := t.set.Value(i)
		if value == 0 {
			continue
		}
		seen = seen[:0]
		caller, locations := int32(-1), t.set.Stack(i)
		for j := len(locations) - 1; j >= 0; j-- {
			nodes := t.ofSite[locations[j]]
			for k := len(nodes) - 1; k >= 0; k-- {
				n := nodes[k]
				if !kept[n] {
					continue
				}
				c := call{caller, n}
				caller = n
				if c.from < 0 || c.from == n || slices.Contains(seen, c) {
					continue
				}
				seen = append(seen, c)
				inline := k != len(nodes)-1
				if s := sums[c]; s != nil {
					s.value, _ = stack.AddSaturated(s.value, value)
					s.inline = s.inline && inline
				} else {
					sums[c] = &calls{value, inline}
				}
			}
		}
	}
	cutoff := fractionOf(flat, edgeFraction)
	const inline, called = 1, 2
	how := map[int32]int{}
	for c, s := range sums {
		switch {
		case stack.Abs(s.value) < cutoff:
		case s.inline:
			how[c.to] |= inline
		default:
			how[c.to] |= called
		}
	}
	said := map[int32]string{}
	for n, h := range how {
		said[n] = map[int]string{inline: " (inline)", inline | called: " (partial-inline)"}[h]
	}
	return said
}
