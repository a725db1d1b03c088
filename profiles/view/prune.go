package view

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A flame holds the stacks of a flame graph, of one side or of two that are compared. prune reduces
// them to a tree of calls, in which calls with less than a share of the whole are left out.
type flame struct {
	set *profiles.Samples

	drawn []int32     // the samples that are drawn
	calls []int32     // for each location, its index in frame
	frame []flameCall // distinct calls
	whole float64     // sum of the drawn samples' absolute values

	share float64 // calls with less than this share of whole are left out
	depth int     // deeper calls are left out

	stacks  []flameStack
	size    int // lower bound of the page's size, in bytes
	left    int // samples of which calls are left out
	leftSum float64
	scratch []int32
	slots   []int32
}

// A flameCall is a location of a stack: a function and the functions inlined into it there, the
// innermost first.
type flameCall []flameFunction

type flameFunction struct{ name, file string }

// A flameStack is a stack that is drawn, with its values in now and in the base.
type flameStack struct {
	calls   []int32 // from the root
	leftOut bool    // its leaf stands for the calls that are left out
	values  [2]int64
}

const (
	firstShare    = 0.0001 // the first share that is tried if not everything fits
	deepestFlame  = 2000   // frames
	longestName   = 300    // bytes
	bytesPerFrame = 20     // of the page, at least
)

func flameOf(set *profiles.Samples) *flame {
	f := &flame{set: set, depth: deepestFlame}
	f.calls = make([]int32, len(set.Locations))
	at := map[string]int32{}
	for i, l := range set.Locations {
		var call flameCall
		var key strings.Builder
		for _, line := range l.Line {
			fn := flameFunction{simplified(line.Function), line.Function.Filename}
			if fn.name == "" {
				fn.name = stack.BinaryName(l)
			}
			call = append(call, fn)
			fmt.Fprintf(&key, "%q %q ", fn.name, fn.file)
		}
		if len(l.Line) == 0 {
			call = flameCall{{name: stack.BinaryName(l)}}
			key.WriteString(stack.BinaryName(l))
		}
		n, ok := at[key.String()]
		if !ok {
			n = int32(len(f.frame))
			at[key.String()] = n
			f.frame = append(f.frame, call)
		}
		f.calls[i] = n
	}
	for i := range set.Len() {
		if set.Value(i) != 0 {
			f.drawn = append(f.drawn, int32(i))
		}
	}
	return f
}

// filterStacks drops samples whose stack holds none of the functions in within, which are prefixes
// of names.
func (f *flame) filterStacks(within []string) {
	f.drawn = slices.DeleteFunc(f.drawn, func(i int32) bool {
		return !slices.ContainsFunc(f.set.Stack(int(i)), func(l uint32) bool {
			return slices.ContainsFunc(f.set.Locations[l].Line, func(line profile.Line) bool {
				return stack.IsOwn(line.Function.Name, within)
			})
		})
	})
}

// fit sums the values of the drawn samples. If the sum might not fit into 64 bits, fit divides all
// values and returns a note that says so.
func (f *flame) fit() (notes []string) {
	for _, i := range f.drawn {
		f.whole += math.Abs(float64(f.set.Value(int(i))))
	}
	const most = 1 << 62
	if f.whole <= most {
		return nil
	}
	by := math.Exp2(math.Ceil(math.Log2(f.whole / most)))
	ratios := slices.Repeat([]float64{1 / by}, f.set.Columns())
	f.set.Scale(ratios)
	f.whole /= by
	return []string{fmt.Sprintf("the values come to more than 2^63-1 (9223372036854775807): all are divided by %.0f", by)}
}

// coarser makes the next prune leave out more. It reports whether more can be left out.
func (f *flame) coarser() bool {
	switch {
	case f.share == 0:
		f.share = firstShare
	case f.share < 1:
		f.share *= 2
	case f.depth > 1:
		f.depth /= 2
	default:
		return false
	}
	return true
}

// prune sets the stacks that are drawn. It reports whether they may fit into a page.
func (f *flame) prune() bool {
	f.stacks, f.size, f.left, f.leftSum = nil, 0, 0, 0
	f.scratch, f.slots = make([]int32, len(f.drawn)), make([]int32, len(f.frame))
	f.visit(slices.Clone(f.drawn), nil)
	f.scratch, f.slots = nil, nil
	return f.size <= MaxFlamePage
}

// at returns the call of a sample at a depth from the root. It reports false if the stack isn't
// that deep.
func (f *flame) at(sample int32, depth int) (call int32, ok bool) {
	locations := f.set.Stack(int(sample))
	if depth >= len(locations) {
		return 0, false
	}
	return f.calls[locations[len(locations)-1-depth]], true
}

// A callee is a call at some depth, with the samples that have it there.
type callee struct {
	call   int32
	weight float64
	count  int
	values [2]int64
}

// visit adds the stacks of samples that begin with the same calls. It reorders samples.
func (f *flame) visit(samples, calls []int32) {
	var own, left callee
	var callees []callee
	for _, s := range samples {
		call, ok := f.at(s, len(calls))
		if !ok {
			f.count(&own, s)
			continue
		}
		if f.slots[call] == 0 {
			callees = append(callees, callee{call: call})
			f.slots[call] = int32(len(callees))
		}
		f.count(&callees[f.slots[call]-1], s)
	}
	// Group the samples of callees that are followed, in the order in which the callees first
	// appeared.
	starts, end := make([]int, len(callees)), 0
	followed := func(c *callee) bool { return c.weight >= f.share*f.whole && len(calls) < f.depth }
	for i := range callees {
		starts[i] = end
		if followed(&callees[i]) {
			end += callees[i].count
		}
	}
	next := slices.Clone(starts)
	for _, s := range samples {
		if call, ok := f.at(s, len(calls)); ok {
			if i := f.slots[call] - 1; followed(&callees[i]) {
				f.scratch[next[i]] = s
				next[i]++
			} else {
				f.count(&left, s)
			}
		}
	}
	copy(samples, f.scratch[:end])
	for _, c := range callees {
		f.slots[c.call] = 0
	}
	f.draw(calls, own, false)
	f.draw(calls, left, true)
	f.left, f.leftSum = f.left+left.count, f.leftSum+left.weight
	for i, c := range callees {
		if f.size > MaxFlamePage {
			return
		}
		if followed(&callees[i]) {
			f.visit(samples[starts[i]:starts[i]+c.count], append(slices.Clip(calls), c.call))
		}
	}
}

func (f *flame) count(c *callee, sample int32) {
	v, side := f.set.Value(int(sample)), 0
	if f.set.IsBase(int(sample)) {
		side = 1
	}
	c.values[side], _ = stack.AddSaturated(c.values[side], v)
	c.weight += math.Abs(float64(v))
	c.count++
}

func (f *flame) draw(calls []int32, c callee, leftOut bool) {
	if c.count == 0 {
		return
	}
	f.stacks = append(f.stacks, flameStack{calls, leftOut, c.values})
	f.size += bytesPerFrame
	for i, call := range calls {
		f.size += 2
		if !slices.Contains(calls[:i], call) { // the page names a function once for each stack
			f.size += bytesPerFrame * len(f.frame[call])
		}
	}
}

// notes returns a note about what is left out.
func (f *flame) notes() []string {
	if f.left == 0 {
		return nil
	}
	return []string{fmt.Sprintf("to keep the page below %d MB, functions with less than %.3g%% of the whole on a path "+
		"are drawn as %s: %d of %d stacks end there, with %.3g%% of the whole",
		MaxFlamePage/1_000_000, 100*f.share, leftOutName, f.left, len(f.drawn), 100*f.leftSum/f.whole)}
}

const leftOutName = "(left out)"

// profiles returns the profiles that pprof draws: the stacks of now, and those of the base, or nil
// if there is none.
func (f *flame) profiles() (now, before *profile.Profile) {
	about := f.set.Header
	t := *f.set.Type()
	t.Type, t.Unit = profiles.Printable(t.Type), profiles.Printable(t.Unit)
	all := &profile.Profile{
		SampleType: []*profile.ValueType{&t}, PeriodType: &profile.ValueType{},
		TimeNanos: about.TimeNanos, DurationNanos: about.DurationNanos,
	}
	for _, c := range about.Comments {
		all.Comments = append(all.Comments, clipped(c))
	}
	mapping := &profile.Mapping{ID: 1, HasFunctions: true}
	if len(about.Mapping) > 0 {
		mapping.File = clipped(stack.Base(about.Mapping[0].File))
	}
	all.Mapping = []*profile.Mapping{mapping}

	functions, locations := map[flameFunction]*profile.Function{}, map[int32]*profile.Location{}
	location := func(id int32, call flameCall) *profile.Location {
		l := locations[id]
		if l != nil {
			return l
		}
		l = &profile.Location{ID: uint64(len(all.Location) + 1), Mapping: mapping, Address: uint64(len(all.Location) + 1)}
		for _, fn := range call {
			p := functions[fn]
			if p == nil {
				// If Name differs from SystemName, pprof takes Name for simplified already.
				p = &profile.Function{
					ID: uint64(len(all.Function) + 1), Name: clipped(fn.name), SystemName: "-", Filename: clipped(fn.file),
				}
				functions[fn] = p
				all.Function = append(all.Function, p)
			}
			l.Line = append(l.Line, profile.Line{Function: p})
		}
		locations[id] = l
		all.Location = append(all.Location, l)
		return l
	}
	var samples [2][]*profile.Sample
	for _, s := range f.stacks {
		var leafFirst []*profile.Location
		for _, c := range s.calls {
			leafFirst = append(leafFirst, location(c, f.frame[c]))
		}
		if s.leftOut {
			leafFirst = append(leafFirst, location(-1, flameCall{{name: leftOutName}}))
		}
		slices.Reverse(leafFirst)
		for side, v := range s.values {
			if v != 0 {
				samples[side] = append(samples[side], &profile.Sample{Location: leafFirst, Value: []int64{v}})
			}
		}
	}
	all.Sample = samples[0]
	if !f.set.HasBase() {
		return all, nil
	}
	return all, &profile.Profile{
		SampleType: all.SampleType, PeriodType: all.PeriodType, Sample: samples[1],
		Mapping: all.Mapping, Location: all.Location, Function: all.Function,
	}
}

// clipped returns a name that can be printed, cut to longestName bytes so that it fits into a page.
func clipped(name string) string {
	if len(name) > longestName {
		end := longestName
		for end > longestName-utf8.UTFMax && !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end] + "…"
	}
	return profiles.Printable(name)
}
