package runner

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutcomes(t *testing.T) {
	for name, want := range map[string]outcome{
		"none":                   {0, 0},
		"one":                    {1, 0},
		"both":                   {3, 2},
		"the last that fits":     {halfLimit - 1, halfLimit - 1},
		"the first that doesn't": {halfLimit, 0},
		"failures alone":         {0, halfLimit},
		"over and over":          {3*halfLimit + 7, 2*halfLimit + 5},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutcomes(3)
			for range want.succeeded {
				o.succeeded(1)
			}
			for range want.failed {
				o.failed(1)
			}
			require.Equal(t, []outcome{{}, want, {}}, []outcome{o.of(0), o.of(1), o.of(2)})
			o.reset()
			require.Equal(t, outcome{}, o.of(1))
		})
	}
}

// TestOutcomesOfManyWorkers: nothing is lost where workers meet at a device, while
// its halves run over.
func TestOutcomesOfManyWorkers(t *testing.T) {
	const workers, each = 8, 50_000
	o := newOutcomes(1)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				o.succeeded(0)
				o.failed(0)
			}
		})
	}
	all.Wait()
	require.Equal(t, outcome{workers * each, workers * each}, o.of(0))
}
