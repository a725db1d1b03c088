package sequential

import (
	"math"

	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A schedule says after how many pairs the test is analyzed. More analyses than these would each
// have a smaller share of FalseAlarms and Misses, and little new to see.
type schedule struct {
	first    int     // pairs at the first analysis: the fewest that can show anything for a dozen metrics
	growth   float64 // of the number of pairs from one analysis to the next
	maxPairs int

	// rising gives each analysis growth times the share of the one before, instead of equal shares.
	// That suits pairs that take long: it favors the analyses of many pairs, which decide best.
	rising bool
}

// The largest numbers of pairs, and of layouts of the code, that a test takes.
const (
	MaxPairs   = stats.MaxExactPairs
	MaxLayouts = 48
)

func (o Options) schedule() schedule {
	if o.Means {
		return schedule{first: 6, growth: 2, maxPairs: MaxLayouts, rising: true}
	}
	return schedule{first: 16, growth: 1.5, maxPairs: MaxPairs}
}

// pairsAt returns how many pairs the next analysis needs, after the given number of analyses.
func (s schedule) pairsAt(analyses int) int {
	return int(float64(s.first) * math.Pow(s.growth, float64(analyses)))
}

// maxAnalyses returns how many analyses there can be: one at each scheduled number of pairs, and
// one at the end, whenever that comes.
func (s schedule) maxAnalyses() int {
	n := 0
	for s.pairsAt(n) < s.maxPairs {
		n++
	}
	return n + 1
}

// share returns which share of FalseAlarms and Misses the next analysis may spend, after the given
// number of analyses. The shares of all analyses add up to 1.
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
