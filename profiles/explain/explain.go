package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
)

// Options say what is explained, and with which certainty.
type Options struct {
	profiles.Selection // the kind and sample type to explain

	// Own are prefixes of the names of functions that can be a cause, such as the path of your
	// package. A cause includes what it calls in other packages. There must be at least one prefix.
	Own []string

	// Within are prefixes of function names. Only stacks that hold such a function count; if Within
	// is empty, all do. It is useful for block profiles, in which most of the time belongs to idle
	// goroutines.
	Within []string

	// Paired says that the sides took turns, so that their i-th profiles are a pair. Otherwise the
	// repetitions of a side have no order.
	Paired bool

	// Alpha is the chance that any function is named if nothing changed. 0 means 0.01.
	Alpha float64

	// Tries is how often the sides are explained at most, each time with more profiles, until an
	// explanation is accepted. Each p-value is corrected for it, so that Alpha holds for all tries
	// together (the Bonferroni correction). 0 means once.
	Tries int

	// Causes is the largest number of causes that are returned, largest first. 0 means 10.
	Causes int
}

// Defaults of [Options], and bounds of the number of repetitions.
const (
	defaultAlpha  = 0.01
	defaultCauses = 10

	minRepetitions = 4   // of a side; fewer can't show that a change isn't chance
	maxRepetitions = 400 // of a side
)

// An Explanation says which functions made an operation cost more or less.
type Explanation struct {
	Unit        string     `json:"unit"`            // of an operation's cost: nanoseconds, bytes or count
	Sample      string     `json:"sample"`          // cpu, alloc_space, …
	Paired      Pairing    `json:"taken"`           // whether the repetitions of the two sides took turns
	Base        int        `json:"base"`            // repetitions of the base
	Now         int        `json:"now"`             // repetitions of now
	Operations  [2]int64   `json:"operations"`      // how many the profiles of the base and of now cover
	Alpha       float64    `json:"alpha"`           // chance that any function is named if nothing changed
	Tests       int        `json:"tests"`           // how many rows were tested: functions, counted in up to three ways
	Total       Change     `json:"total"`           // of the whole operation
	Causes      []Cause    `json:"causes"`          // significant ones, largest first; may be empty
	Omitted     int        `json:"left"`            // causes left out because of Options.Causes
	Functions   []Function `json:"functions"`       // whose flat or cumulative cost changed significantly
	Unexplained float64    `json:"unexplained"`     // part of the whole difference that no cause has
	Notes       []string   `json:"notes,omitempty"` // other reasons why the sides may differ, besides the code
}

// A Pairing reports whether the repetitions of two sides took turns. Its text is "paired" or
// "unpaired".
type Pairing bool

// MarshalText returns the pairing as text. It never fails.
func (p Pairing) MarshalText() ([]byte, error) {
	if p {
		return []byte("paired"), nil
	}
	return []byte("unpaired"), nil
}

// A Change is a change of the cost of an operation, in the unit of the [Explanation].
type Change struct {
	Base        float64 `json:"base"`
	Now         float64 `json:"now"`
	Delta       float64 `json:"delta"`
	Low         float64 `json:"low"`  // of the 95% interval of Delta
	High        float64 `json:"high"` // of the 95% interval of Delta
	P           float64 `json:"p"`    // corrected for all tests
	Significant bool    `json:"real"` // P is at most Alpha
}

// A Cause is one of the Own functions, with what it calls in other packages.
type Cause struct {
	Function string `json:"function"`
	Change
	Share     float64        `json:"share"` // of the whole difference
	ShareLow  *float64       `json:"share_low"`
	ShareHigh *float64       `json:"share_high"` // of the 95% interval; nil if the whole difference may be zero
	Lines     []Contribution `json:"lines"`      // its lines that changed most
	Callees   []Contribution `json:"callees"`    // innermost functions: where the time was spent, or what allocated
	Callers   []Contribution `json:"callers"`    // the nearest Own functions that call it, with their lines
}

// A Contribution is a part of a cause's difference.
type Contribution struct {
	Name  string  `json:"name"`
	Base  float64 `json:"base"`
	Now   float64 `json:"now"`
	Delta float64 `json:"delta"`
}

// A Function is a function whose cost changed significantly, by itself or with all that it calls.
type Function struct {
	Name       string `json:"name"`
	Cumulative bool   `json:"cumulative"`
	Change
}

// ErrNoMatchingStacks reports that no stack of either side holds a function in [Options].Within.
var ErrNoMatchingStacks = errors.New("no stack holds a function that begins with")

// Explain returns the functions whose cost changed between two sides. base and now are their
// profiles, one file for each repetition. All profiles must be of one kind, have function names,
// and say how many operations they cover.
//
// The cost of an operation in each function is tested by permutation: if nothing changed, any
// exchange of repetitions between the sides (within a pair, if they are Paired) is as likely as the
// measured arrangement. From each exchange the test takes the largest standardized difference over
// all functions, counted by themselves, with all they call, and as causes. So Alpha holds for all
// tests together, however they depend on each other (P. H. Westfall and S. S. Young,
// "Resampling-based multiple testing", 1993). Shares have Fieller's interval (E. C. Fieller, "Some
// problems in interval estimation", 1954).
func Explain(ctx context.Context, base, now []string, opts Options) (*Explanation, error) {
	opts.Alpha, opts.Causes = cmp.Or(opts.Alpha, defaultAlpha), cmp.Or(opts.Causes, defaultCauses)
	opts.Tries = cmp.Or(opts.Tries, 1)
	switch {
	case len(opts.Own) == 0:
		return nil, errors.New("profile explain: no own functions: name the beginning of their package path")
	case !(opts.Alpha > 0 && opts.Alpha < 1):
		return nil, fmt.Errorf("profile explain: alpha %v: want above 0 and below 1", opts.Alpha)
	case opts.Tries < 0:
		return nil, fmt.Errorf("profile explain: %d tries: want 1 or more, or 0 for 1", opts.Tries)
	case opts.Causes < 0:
		return nil, fmt.Errorf("profile explain: %d causes: want 1 or more, or 0 for %d", opts.Causes, defaultCauses)
	case opts.Paired && len(base) != len(now):
		return nil, fmt.Errorf("profile explain: %d and %d repetitions: want as many of either side if they took turns",
			len(base), len(now))
	}
	if err := checkRepetitions(len(base), len(now), opts); err != nil {
		return nil, err
	}
	c, err := newCostTable(ctx, slices.Concat(base, now), opts)
	if err != nil {
		return nil, err
	}
	e, err := c.explain(ctx, len(base), opts)
	if err != nil {
		return nil, fmt.Errorf("profile explain: %w", err)
	}
	e.Notes = c.notes(len(base))
	return e, nil
}

// checkRepetitions returns an error if a side has too few profiles to show that a change isn't
// chance, or too many.
func checkRepetitions(base, now int, opts Options) error {
	need := minRepetitions
	for need < maxRepetitions && smallestP(need, need, opts.Paired)*float64(opts.Tries) > opts.Alpha {
		need++
	}
	if smallestP(need, need, opts.Paired)*float64(opts.Tries) > opts.Alpha {
		return fmt.Errorf("profile explain: alpha %v: want at least %.2g, the smallest p-value that a test can give",
			opts.Alpha, smallestP(maxRepetitions, maxRepetitions, opts.Paired)*float64(opts.Tries))
	}
	enough := base >= minRepetitions && now >= minRepetitions &&
		smallestP(base, now, opts.Paired)*float64(opts.Tries) <= opts.Alpha
	if enough && base <= maxRepetitions && now <= maxRepetitions {
		return nil
	}
	who, has := "the first has", base
	switch tooMany := base > maxRepetitions || now > maxRepetitions; {
	case base == now:
		who = "either side has"
	case (now < base) != tooMany:
		who, has = "the second has", now
	}
	return &RepetitionsError{Side: who, Has: has, Min: need, Max: maxRepetitions, Alpha: opts.Alpha}
}

// A RepetitionsError says that a side has too few profiles to show that a change isn't chance, or
// too many.
type RepetitionsError struct {
	Side     string // such as "the first has"
	Has      int
	Min, Max int
	Alpha    float64
}

func (e *RepetitionsError) Error() string {
	return fmt.Sprintf("profile explain: %s %s: want %d to %d: "+
		"with fewer no change can be significant at alpha %v: take more",
		e.Side, plaintext.Count(e.Has, "profile"), e.Min, e.Max, e.Alpha)
}

// minShare is the smallest share of an operation's cost at which a function is tested. The share is
// that of both sides together, since the choice must not depend on the side.
const minShare = 0.001

// explain tests all functions. The first n repetitions are the base's.
func (c *costTable) explain(ctx context.Context, n int, opts Options) (*Explanation, error) {
	all := len(c.total)
	e := &Explanation{
		Unit: c.unit, Sample: c.sample, Paired: Pairing(opts.Paired), Base: n, Now: all - n, Alpha: opts.Alpha,
		Causes: []Cause{}, Functions: []Function{},
	}
	e.Operations = [2]int64{int64(floats.Sum(c.operations[:n])), int64(floats.Sum(c.operations[n:]))}
	whole := max(stat.Mean(c.total[:n], nil), stat.Mean(c.total[n:], nil))
	if whole == 0 && len(opts.Within) > 0 {
		return nil, fmt.Errorf("%w %s: nothing to explain", ErrNoMatchingStacks, strings.Join(opts.Within, " or "))
	}
	if whole == 0 {
		return nil, errors.New("the profiles hold no samples: nothing to explain: profile for longer")
	}
	rows, tested := [][]float64{c.total}, []costKey{{}} // the first is the whole operation
	for i, v := range c.values {
		if stat.Mean(v, nil) >= minShare*stat.Mean(c.total, nil) {
			rows, tested = append(rows, v), append(tested, c.keys[i])
		}
	}
	e.Tests = len(rows)
	ps, err := permutationTest(ctx, rows, n, opts.Paired, c.standardErrors(rows, n))
	if err != nil {
		return nil, err
	}
	for i, p := range ps {
		ps[i] = min(1, p*float64(opts.Tries))
	}
	e.Total = change(c.total, n, opts.Paired, ps[0], opts.Alpha)
	for i := 1; i < len(rows); i++ {
		switch ch := change(rows[i], n, opts.Paired, ps[i], opts.Alpha); {
		case !ch.Significant:
		case tested[i].how == owned:
			e.Causes = append(e.Causes, c.cause(tested[i].name, rows[i], ch, n, opts.Paired))
		default:
			e.Functions = append(e.Functions, Function{tested[i].name, tested[i].how == cum, ch})
		}
	}
	slices.SortFunc(e.Causes, func(a, b Cause) int { return byDelta(a.Delta, b.Delta, a.Function, b.Function) })
	slices.SortFunc(e.Functions, func(a, b Function) int { return byDelta(a.Delta, b.Delta, a.Name, b.Name) })
	e.Unexplained = e.Total.Delta
	for _, k := range e.Causes {
		e.Unexplained -= k.Delta
	}
	if len(e.Causes) > opts.Causes {
		e.Omitted = len(e.Causes) - opts.Causes
		e.Causes = slices.Clip(e.Causes[:opts.Causes])
	}
	return e, nil
}

// byDelta orders changes by their size, the largest first, and equal ones by name.
func byDelta(a, b float64, nameOfA, nameOfB string) int {
	return cmp.Or(cmp.Compare(math.Abs(b), math.Abs(a)), cmp.Compare(nameOfA, nameOfB))
}

// maxContributions bounds how many lines, callees and callers of a cause are shown. minContribution
// is the smallest part of the cause's difference that each must have.
const (
	maxContributions = 3
	minContribution  = 0.1
)

func (c *costTable) cause(name string, values []float64, ch Change, n int, paired bool) Cause {
	k := Cause{Function: name, Change: ch, Lines: []Contribution{}, Callees: []Contribution{}, Callers: []Contribution{}}
	k.Share, k.ShareLow, k.ShareHigh = fieller(values, c.total, n, paired)
	for d, v := range c.detail {
		if d.cause != name || d.name == "" {
			continue
		}
		p := Contribution{Name: d.name, Base: stat.Mean(v[:n], nil), Now: stat.Mean(v[n:], nil)}
		if p.Delta = p.Now - p.Base; math.Abs(p.Delta) < minContribution*math.Abs(ch.Delta) {
			continue
		}
		list := map[detailKind]*[]Contribution{ofLine: &k.Lines, ofCallee: &k.Callees, ofCaller: &k.Callers}[d.what]
		*list = append(*list, p)
	}
	for _, list := range []*[]Contribution{&k.Lines, &k.Callees, &k.Callers} {
		slices.SortFunc(*list, func(a, b Contribution) int { return byDelta(a.Delta, b.Delta, a.Name, b.Name) })
		*list = slices.Clip((*list)[:min(maxContributions, len(*list))])
	}
	return k
}
