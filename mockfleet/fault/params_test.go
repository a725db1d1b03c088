package fault

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// TestFaultKinds checks that a kind's description and the validation of its faults agree.
func TestFaultKinds(t *testing.T) {
	amount, err := random.FixedInt(5)
	require.NoError(t, err)
	delay, err := random.Fixed(5)
	require.NoError(t, err)
	with := map[string]func(*Fault, Kind){
		"on":          func(f *Fault, _ Kind) { f.On = onVersion },
		"first":       func(f *Fault, _ Kind) { f.First = 1 },
		"after_bytes": func(f *Fault, _ Kind) { f.AfterBytes = amount },
		"rate":        func(f *Fault, _ Kind) { f.Rate = amount },
		"delay":       func(f *Fault, _ Kind) { f.Delay = delay },
		"status":      func(f *Fault, k Kind) { _, f.Status = k.Statuses() },
		"retry_after": func(f *Fault, _ Kind) { f.RetryAfter.After = 5 },
		"origin":      func(f *Fault, _ Kind) { f.Origin = originOther },
	}
	well := func(f Fault) bool { return len(Validate([]Fault{f})) == 0 }
	require.Len(t, ParamNames(), len(with))
	for _, k := range Table() {
		whole := Fault{Kind: k.Name}
		for _, name := range k.Params.Names() {
			with[name](&whole, k)
		}
		require.True(t, well(whole), k.Name)
		for _, name := range ParamNames() {
			if !slices.Contains(k.Params.Names(), name) {
				more := whole
				with[name](&more, k)
				require.False(t, well(more), "%s takes no %s", k.Name, name)
			}
		}
		needs := Fault{Kind: k.Name}
		for _, name := range k.Needs().Names() {
			require.False(t, well(needs), "%s needs %s", k.Name, name)
			with[name](&needs, k)
		}
		require.True(t, well(needs), "%s needs no more than %v", k.Name, k.Needs().Names())
		if k.Params&ParamStatus != 0 {
			low, high := k.Statuses()
			for status, want := range map[int]bool{low - 1: false, low: true, high: true, high + 1: false} {
				whole.Status = status
				require.Equal(t, want, well(whole), "%s %d", k.Name, status)
			}
		}
	}
}
