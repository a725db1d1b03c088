package sequential

import (
	"math"

	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A schedule says after how many pairs the test is analyzed. More analyses would spend the chances on
// some that see nothing new.
type schedule struct {
	first  int     // pairs at the first analysis, where a test of a dozen metrics can first tell anything
	growth float64 // of the number of pairs from one analysis to the next
	most   int     // pairs

	// rising reports whether an analysis may spend growth times as much of the chances as the one before.
	// That suits pairs that take long: few of them are wanted, but all of them must do.
	rising bool
}

// The numbers of pairs, and of layouts of the code, that are measured at most.
const (
	MaxPairs   = stats.MaxExactPairs
	MaxLayouts = 48
)

func (o Options) schedule() schedule {
	if o.Means {
		return schedule{first: 6, growth: 2, most: MaxLayouts, rising: true}
	}
	return schedule{first: 16, growth: 1.5, most: MaxPairs}
}

// pairsAt returns how many pairs the analysis needs that follows the given number of analyses.
func (s schedule) pairsAt(analyses int) int {
	return int(float64(s.first) * math.Pow(s.growth, float64(analyses)))
}

// maxAnalyses returns how many analyses there can be: those that are due, and one at the end, whenever
// that comes.
func (s schedule) maxAnalyses() int {
	n := 0
	for s.pairsAt(n) < s.most {
		n++
	}
	return n + 1
}

// share returns the part of the chances of being wrong that the analysis may spend that follows the given
// number of analyses. All parts together are 1.
func (s schedule) share(analyses int) float64 {
	n := s.maxAnalyses()
	if !s.rising {
		return 1 / float64(n)
	}
	sum := 0.0
	for i := range n {
		sum += math.Pow(s.growth, float64(i))
	}
	return math.Pow(s.growth, float64(min(analyses, n-1))) / sum
}
