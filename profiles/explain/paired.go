package explain

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fleetmark/fleetmark/profiles"
)

// A Paired explains profiles that two sides took in turns. Profiles of a pair have the same index
// in BaseFiles and NowFiles.
type Paired struct {
	*Explanation
	BaseFiles, NowFiles []string
}

// ExplainPairs explains the profiles of a kind in the directories base and now, as [Explain] does.
// The two sides must have taken turns.
func ExplainPairs(ctx context.Context, base, now string, kind profiles.Kind, opts Options) (*Paired, error) {
	p := &Paired{}
	var err error
	if p.BaseFiles, err = profiles.Find(base, kind); err != nil {
		return nil, err
	}
	if p.NowFiles, err = profiles.Find(now, kind); err != nil {
		return nil, err
	}
	opts.Paired = true
	p.Explanation, err = Explain(ctx, p.BaseFiles, p.NowFiles, opts)
	return p, err
}

// PairCount returns how many pairs of profiles of a kind suffice to name functions, of small causes
// too. CPU profiles of
// half a second each then hold some 2,000 samples of each side, so a function with a twentieth of
// an operation has a hundred.
func PairCount(kind profiles.Kind) int {
	switch kind {
	case profiles.Block:
		return 20 // every wait except the shortest is counted
	case profiles.Allocs:
		return 8 // every allocation is counted, so there is no noise
	}
	return 50
}

// Taking says how the profiles of two sides are taken in turns.
type Taking[Side any] struct {
	Sides  []Side
	Pairs  int        // how many pairs are taken at most
	Random *rand.Rand // draws the order of the sides in each pair

	// Take takes the n-th profile of a side, counted from 1.
	Take func(side Side, n int) error

	// Progress is called after each pair, with how many are done and how many there may be. It may
	// be nil.
	Progress func(done, of int)
}

// TakePairs takes all pairs of profiles. It stops at the first error.
func TakePairs[Side any](t Taking[Side]) error { return t.take(1, t.Pairs) }

// take takes the pairs from the one numbered first to the one numbered last.
func (t Taking[Side]) take(first, last int) error {
	for n := first; n <= last; n++ {
		turns := slices.Clone(t.Sides)
		if t.Random.IntN(2) == 1 {
			slices.Reverse(turns)
		}
		for _, side := range turns {
			if err := t.Take(side, n); err != nil {
				return err
			}
		}
		if t.Progress != nil {
			t.Progress(n, t.Pairs)
		}
	}
	return nil
}

// TakeAndExplain takes pairs of profiles until they explain the difference, as [ExplainPairs] does,
// or all are taken. A large cause is then named after a fifth of them. It tries after so few pairs,
// and so seldom, that opts.Alpha holds for all tries together; see [Options].Tries.
func TakeAndExplain[Side any](
	ctx context.Context, t Taking[Side], base, now string, kind profiles.Kind, opts Options,
) (*Paired, error) {
	tries := triesWithin(t.Pairs)
	opts.Tries = len(tries)
	taken := 0
	for {
		if err := t.take(taken+1, tries[0]); err != nil {
			return nil, err
		}
		taken, tries = tries[0], tries[1:]
		p, err := ExplainPairs(ctx, base, now, kind, opts)
		switch {
		case len(tries) == 0:
			return p, err
		case ctx.Err() != nil:
			return nil, err
		case err == nil && p.isClear(): // an error may be that there is nothing in so few profiles
			if t.Progress != nil {
				t.Progress(taken, taken)
			}
			return p, nil
		}
	}
}

// triesWithin returns after how many of the pairs an explanation is tried. With fewer than ten, no
// change could be significant in one of three tries.
func triesWithin(pairs int) []int {
	var tries []int
	for _, n := range []int{10, 20} {
		if 2*n <= pairs {
			tries = append(tries, n)
		}
	}
	return append(tries, pairs)
}

// Limits of what [Explanation.isClear] accepts: how much of the difference may be in no cause, and
// how wide the interval of the first cause's share may be.
const (
	mostUnexplained = 1. / 3
	widestShare     = 0.4
)

// isClear reports whether more profiles would hardly add to the explanation: its causes account for
// most of a significant difference, and the share of the first is known well.
func (e *Explanation) isClear() bool {
	if !e.Total.Significant || len(e.Causes) == 0 || e.Causes[0].ShareLow == nil {
		return false
	}
	first := e.Causes[0]
	return math.Abs(e.Unexplained) <= mostUnexplained*math.Abs(e.Total.Delta) &&
		*first.ShareHigh-*first.ShareLow <= widestShare
}
