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
	eventCost    float64  // what one event of the profile costs, such as 10 ms for a CPU sample
	machines     []string // of each repetition, as all lists below; "" if unknown
	with         []string // kinds that were captured at the same time; "" if unknown
	sampled      []string // mean number of bytes per sample; "" if unknown
	operations   []float64
	total        []float64 // cost of an operation
	fromRusage   bool      // total is the system's measurement, which has no sampling error
	at           map[costKey]int
	keys         []costKey
	values       [][]float64 // of each key, by repetition

	detail map[detail][]float64 // by repetition
}

// A costKey is a function, counted in one of three ways.
type costKey struct {
	how  counting
	name string
}

type counting int

const (
	owned counting = iota // an own function, with what it calls in other packages
	flat                  // the function alone
	cum                   // the function with all that it calls
)

// A detail is a part of a cause: a line, a function that it calls, or a function that calls it.
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

// countEvents returns how many events a profile counts, and their sum. For a CPU profile it returns
// one sample and its period, usually 10 ms.
func countEvents(s *profiles.Samples) (n, sum float64) {
	p := s.Header
	if s.Type().Unit == "nanoseconds" && p.PeriodType != nil && p.PeriodType.Type == "cpu" && p.Period > 0 {
		return 1, float64(p.Period) // known even without samples
	}
	sums := s.Sums()
	return sums[0], sums[s.Column] // the first column counts events in every kind
}

// add adds the profile of repetition i, where all is the number of repetitions.
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

// unownedGroup returns a name for stacks that hold none of the own functions, by the outermost
// function that it knows.
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
