package load

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutcomes(t *testing.T) {
	for name, want := range map[string]Outcome{
		"none":                   {},
		"one":                    {Succeeded: 1},
		"both":                   {Succeeded: 3, Failed: 2},
		"the last that fits":     {Succeeded: halfLimit - 1, Failed: halfLimit - 1},
		"the first that doesn't": {Succeeded: halfLimit},
		"failures alone":         {Failed: halfLimit},
		"over and over":          {Succeeded: 3*halfLimit + 7, Failed: 2*halfLimit + 5},
		"requests":               {Succeeded: 1, Pushes: halfLimit + 2, Verifies: 3},
		"broken off":             {BrokenOff: 2, Pushes: 2},
		"uncounted":              {Failed: 1, Pushes: 1, Uncounted: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOutcomes(3)
			for range want.Succeeded {
				o.Succeed(1)
			}
			for range want.Failed {
				o.Fail(1)
			}
			for range want.BrokenOff {
				o.BreakOff(1)
			}
			if want.Uncounted {
				o.SentUnknown(1)
			}
			o.Sent(1, int(want.Pushes), int(want.Verifies))
			require.Equal(t, 3, o.Len())
			require.Equal(t, []Outcome{{}, want, {}}, []Outcome{o.Of(0), o.Of(1), o.Of(2)})
			o.Reset()
			require.Equal(t, Outcome{}, o.Of(1))
		})
	}
}

// TestOutcomesOfManyWorkers checks that nothing is lost if workers add to the same device while its
// halves overflow.
func TestOutcomesOfManyWorkers(t *testing.T) {
	const workers, each = 8, 50_000
	o := NewOutcomes(1)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				o.Succeed(0)
				o.Fail(0)
			}
		})
	}
	all.Wait()
	require.Equal(t, Outcome{Succeeded: workers * each, Failed: workers * each}, o.Of(0))
}
