package mockfleet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFaultKinds: what is said of a kind is what a fault of that kind is held against.
func TestFaultKinds(t *testing.T) {
	amount, err := Exactly(5)
	require.NoError(t, err)
	delay, err := Fixed(5)
	require.NoError(t, err)
	with := map[string]func(*Fault, FaultKind){
		"on":          func(f *Fault, _ FaultKind) { f.On = onVersion },
		"first":       func(f *Fault, _ FaultKind) { f.First = 1 },
		"after_bytes": func(f *Fault, _ FaultKind) { f.AfterBytes = amount },
		"rate":        func(f *Fault, _ FaultKind) { f.Rate = amount },
		"delay":       func(f *Fault, _ FaultKind) { f.Delay = delay },
		"status":      func(f *Fault, k FaultKind) { f.Status = k.TopStatus },
		"retry_after": func(f *Fault, _ FaultKind) { f.RetryAfter.After = 5 },
		"origin":      func(f *Fault, _ FaultKind) { f.Origin = originOther },
	}
	well := func(f Fault) bool { return Behavior{Faults: []Fault{f}}.Validate() == nil }
	require.Len(t, FaultKinds(), len(kinds()))
	require.Len(t, FaultParameters(), len(with))
	for _, k := range FaultKinds() {
		whole := Fault{Kind: k.Name}
		for _, name := range k.Takes {
			with[name](&whole, k)
		}
		require.True(t, well(whole), k.Name)
		for _, name := range FaultParameters() {
			if !slices.Contains(k.Takes, name) {
				more := whole
				with[name](&more, k)
				require.False(t, well(more), "%s takes no %s", k.Name, name)
			}
		}
		needs := Fault{Kind: k.Name}
		for _, name := range k.Needs {
			require.False(t, well(needs), "%s needs %s", k.Name, name)
			with[name](&needs, k)
		}
		require.True(t, well(needs), "%s needs no more than %v", k.Name, k.Needs)
		if slices.Contains(k.Takes, "status") {
			for status, want := range map[int]bool{k.LowStatus - 1: false, k.LowStatus: true, k.TopStatus: true, k.TopStatus + 1: false} {
				whole.Status = status
				require.Equal(t, want, well(whole), "%s %d", k.Name, status)
			}
		}
	}
}
