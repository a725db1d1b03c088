package explain

import (
	"context"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A costTable holds the cost of an operation in every function, by repetition.
type costTable struct {
	sample, unit string
	eventCost    float64  // of what a profile counts: a sample's worth
	machines     []string // where known, as are the next two
	with         []string // other kinds
	sampled      []string // bytes a sample
	operations   []float64
	total        []float64
	fromRusage   bool // the total is the system's account, and holds no noise of counting
	at           map[costKey]int
	keys         []costKey
	values       [][]float64 // by part, then by repetition

	detail map[detail][]float64 // by repetition
}

// A costKey is a function, counted in one of three ways.
type costKey struct {
	how  counting
	name string
}

type counting int

const (
	owned counting = iota // it and all that it called that isn't one's own
	flat                  // it alone
	cum                   // it and all that it called
)

// A detail of a cause: the line, the function that it calls, or the function that calls it.
type detail struct {
	cause string
	what  detailKind
	name  string
}

type detailKind int

const (
	ofLine detailKind = iota
	ofCallee
	ofCaller
)

func newCostTable(ctx context.Context, files []string, opts Options) (*costTable, error) {
	c := &costTable{at: map[costKey]int{}, detail: map[detail][]float64{}}
	var accounts []float64
	var counted, worth float64
	err := profiles.EachFile(ctx, files, opts.Selection, func(path string, s *profiles.Samples) error {
		c.sample, c.unit = s.Type().Type, s.Type().Unit
		if profiles.IsSnapshot(c.sample) {
			return &profiles.FileError{Path: path, Problem: profiles.NotPerOperation,
				Advice: "explain a kind that counts what was done, such as allocs"}
		}
		if s.Operations == 0 {
			return &profiles.FileError{Path: path, Problem: profiles.NoOperations}
		}
		n, sum := countEvents(s)
		counted, worth = counted+n, worth+sum
		labels := profiles.Labels(s.Header)
		c.machines = append(c.machines, labels[profiles.MachineLabel])
		c.with = append(c.with, labels[profiles.TakenWithLabel])
		c.sampled = append(c.sampled, labels[profiles.BytesPerSampleLabel])
		c.operations, c.total = append(c.operations, float64(s.Operations)), append(c.total, 0)
		c.add(s, len(c.total)-1, len(files), opts)
		if profiles.KindOf(c.sample) == profiles.CPU && c.unit == "nanoseconds" && len(opts.Within) == 0 {
			accounts = append(accounts, float64(profiles.IntLabel(s.Header, profiles.ProcessorLabel))/float64(s.Operations))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(accounts) == len(files) && !slices.Contains(accounts, 0) {
		c.total, c.fromRusage = accounts, true
	}
	if c.eventCost = 1; counted > 0 && worth > 0 {
		c.eventCost = worth / counted
	}
	return c, nil
}

// countEvents returns how many events a profile counts, and what they come to. At 100 Hz it is one
// sample, and 10 ms of a processor.
func countEvents(s *profiles.Samples) (n, sum float64) {
	p := s.Header
	if s.Type().Unit == "nanoseconds" && p.PeriodType != nil && p.PeriodType.Type == "cpu" && p.Period > 0 {
		return 1, float64(p.Period) // also where there are none
	}
	sums := s.Sums()
	return sums[0], sums[s.Column] // the first column counts events in every kind
}

// add takes in the profile of repetition i of all.
func (c *costTable) add(s *profiles.Samples, i, all int, opts Options) {
	at := make([][]stack.Frame, len(s.Locations))
	for j, l := range s.Locations {
		at[j] = stack.Frames(l)
	}
	var frames []stack.Frame
	seen := map[string]bool{}
	for sample := range s.Len() {
		v := float64(s.Value(sample)) / c.operations[i]
		frames = frames[:0]
		for _, l := range s.Stack(sample) {
			frames = append(frames, at[l]...)
		}
		if v == 0 || len(frames) == 0 {
			continue
		}
		if len(opts.Within) > 0 && stack.OwnerIndex(frames, opts.Within) < 0 {
			continue
		}
		c.total[i] += v
		cause := unownedGroup(frames)
		if o := stack.OwnerIndex(frames, opts.Own); o >= 0 {
			cause = frames[o].Function
			c.detailRow(detail{cause, ofLine, frames[o].Position()}, all)[i] += v
			if o > 0 {
				c.detailRow(detail{cause, ofCallee, frames[0].Function}, all)[i] += v
			}
			if caller := stack.OwnerIndex(frames[o+1:], opts.Own); caller >= 0 {
				f := frames[o+1+caller]
				c.detailRow(detail{cause, ofCaller, f.Function + " " + f.Position()}, all)[i] += v
			}
		} else {
			c.detailRow(detail{cause, ofCallee, frames[0].Function}, all)[i] += v
		}
		c.row(costKey{owned, cause}, all)[i] += v
		c.row(costKey{flat, frames[0].Function}, all)[i] += v
		clear(seen)
		for _, f := range frames {
			if !seen[f.Function] {
				seen[f.Function] = true
				c.row(costKey{cum, f.Function}, all)[i] += v
			}
		}
	}
}

func (c *costTable) row(key costKey, all int) []float64 {
	i, ok := c.at[key]
	if !ok {
		i = len(c.keys)
		c.at[key] = i
		c.keys = append(c.keys, key)
		c.values = append(c.values, make([]float64, all))
	}
	return c.values[i]
}

func (c *costTable) detailRow(d detail, all int) []float64 {
	v, ok := c.detail[d]
	if !ok {
		v = make([]float64, all)
		c.detail[d] = v
	}
	return v
}

// unownedGroup names a stack that holds none of one's own functions, by what is at its bottom.
func unownedGroup(frames []stack.Frame) string {
	for i := len(frames) - 1; i >= 0; i-- {
		switch f := frames[i].Function; {
		case f == "runtime.gcBgMarkWorker", f == "runtime.bgsweep", f == "runtime.bgscavenge",
			strings.HasPrefix(f, "runtime.gcStart"):
			return "(garbage collection)"
		case f == "runtime.mcall", f == "runtime.mstart", f == "runtime.morestack", f == "runtime.goexit0":
			return "(scheduler)"
		}
	}
	return "(elsewhere)"
}
