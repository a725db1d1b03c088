package explain

import (
	"context"
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
// [TakePairs] must have taken them in turns.
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

// PairCount returns how many pairs of profiles of a kind suffice to name functions. CPU profiles of
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

// TakePairs calls take for the n-th profile of each side, for n from 1 to pairs. It draws the order
// of the sides for each pair. After each pair it calls progress, which may be nil. It stops at the
// first error.
func TakePairs[Side any](
	sides []Side, pairs int, random *rand.Rand, take func(side Side, n int) error, progress func(done, of int),
) error {
	for n := 1; n <= pairs; n++ {
		turns := slices.Clone(sides)
		if random.IntN(2) == 1 {
			slices.Reverse(turns)
		}
		for _, side := range turns {
			if err := take(side, n); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(n, pairs)
		}
	}
	return nil
}
