package profiles

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// costs are what an operation cost in each repetition, in every function.
type costs struct {
	sample, unit string
	quantum      float64  // of what a profile counts: a sample's worth
	machines     []string // where known, as are the next two
	with         []string // other kinds
	sampled      []string // bytes a sample
	operations   []float64
	total        []float64
	accounted    bool // the total is the system's account, and holds no noise of counting
	at           map[part]int
	parts        []part
	values       [][]float64 // by part, then by repetition

	detail map[detail][]float64 // by repetition
}

// A part is a function, counted in one of three ways.
type part struct {
	how  counting
	name string
}

type counting int

const (
	asCause    counting = iota // it and all that it called that isn't one's own
	bySelf                     // it alone
	cumulative                 // it and all that it called
)

// A detail of a cause: where in it, through whom, and for whom.
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

func newCosts(ctx context.Context, files []string, opts ExplainOptions) (*costs, error) {
	c := &costs{at: map[part]int{}, detail: map[detail][]float64{}}
	var first *profile.Profile
	var accounts []float64
	var counted, worth float64
	for i, path := range files {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		p, err := Load(path)
		if err != nil {
			return nil, err
		}
		if err := checkKind(path, p, opts.Kind); err != nil {
			return nil, err
		}
		if err := checkDrawn(path, p); err != nil {
			return nil, err
		}
		if first == nil {
			first = p
		} else if !sameTypes(first, p) {
			return nil, &FileError{Path: path, Problem: OtherKind, Err: fmt.Errorf("it counts %s, they %s", typeNames(p), typeNames(first))}
		}
		column, err := TopOptions{Kind: opts.Kind, SampleIndex: opts.SampleIndex}.column(p)
		if err != nil {
			return nil, &FileError{Path: path, Problem: NoSuchNumber, Err: err}
		}
		if momentary(p.SampleType[column].Type) {
			return nil, &FileError{Path: path, Problem: OfAMoment,
				Advice: "explain a kind that counts what was done, such as allocs; fleetmark profile diff --raw subtracts this one"}
		}
		operations := Operations(p)
		if operations == 0 {
			return nil, &FileError{Path: path, Problem: NoOperations,
				Advice: "capture it with --operations, or compare shares with fleetmark profile diff --normalize"}
		}
		c.sample, c.unit = p.SampleType[column].Type, p.SampleType[column].Unit
		n, sum := events(p, column)
		counted, worth = counted+n, worth+sum
		c.operations = append(c.operations, float64(operations))
		labels := Labels(p)
		c.machines, c.with, c.sampled = append(c.machines, labels[MachineLabel]), append(c.with, labels[WithLabel]), append(c.sampled, labels[SampledLabel])
		c.total = append(c.total, 0)
		c.add(p, column, i, len(files), opts)
		if c.sample == "cpu" && len(opts.Within) == 0 {
			accounts = append(accounts, float64(number(p, ProcessorLabel))/float64(operations))
		}
	}
	if len(accounts) == len(files) && !slices.Contains(accounts, 0) {
		c.total, c.accounted = accounts, true
	}
	if c.quantum = 1; counted > 0 && worth > 0 {
		c.quantum = worth / counted
	}
	return c, nil
}

// events counts what a profile counts, and what that comes to: a sample and 10 ms of a processor at 100 Hz.
func events(p *profile.Profile, column int) (n, sum float64) {
	if p.SampleType[column].Unit == "nanoseconds" && p.PeriodType != nil && p.PeriodType.Type == "cpu" && p.Period > 0 {
		return 1, float64(p.Period) // also where there are none
	}
	for _, s := range p.Sample { // the first column counts events in every kind
		n, sum = n+float64(s.Value[0]), sum+float64(s.Value[column])
	}
	return n, sum
}

// add takes in the profile of repetition i, of so many.
func (c *costs) add(p *profile.Profile, column, i, all int, opts ExplainOptions) {
	var stack []frame
	seen := map[string]bool{}
	for _, s := range p.Sample {
		v := float64(s.Value[column]) / c.operations[i]
		if v == 0 || len(s.Location) == 0 {
			continue
		}
		stack = frames(s, stack)
		if len(opts.Within) > 0 && owner(stack, opts.Within) < 0 {
			continue
		}
		c.total[i] += v
		cause := nobodys(stack)
		if o := owner(stack, opts.Own); o >= 0 {
			cause = stack[o].function
			c.of(detail{cause, ofLine, stack[o].place()}, all)[i] += v
			if o > 0 {
				c.of(detail{cause, ofCallee, stack[0].function}, all)[i] += v
			}
			if caller := owner(stack[o+1:], opts.Own); caller >= 0 {
				f := stack[o+1+caller]
				c.of(detail{cause, ofCaller, f.function + " " + f.place()}, all)[i] += v
			}
		} else {
			c.of(detail{cause, ofCallee, stack[0].function}, all)[i] += v
		}
		c.part(part{asCause, cause}, all)[i] += v
		c.part(part{bySelf, stack[0].function}, all)[i] += v
		clear(seen)
		for _, f := range stack {
			if !seen[f.function] {
				seen[f.function] = true
				c.part(part{cumulative, f.function}, all)[i] += v
			}
		}
	}
}

func (c *costs) part(p part, all int) []float64 {
	i, ok := c.at[p]
	if !ok {
		i = len(c.parts)
		c.at[p] = i
		c.parts = append(c.parts, p)
		c.values = append(c.values, make([]float64, all))
	}
	return c.values[i]
}

func (c *costs) of(d detail, all int) []float64 {
	v, ok := c.detail[d]
	if !ok {
		v = make([]float64, all)
		c.detail[d] = v
	}
	return v
}
