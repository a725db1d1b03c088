package fault

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestEveryFaultOfTheTableIsTestedAndDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/faults.md")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, k := range Table() {
		require.False(t, names[k.Name], k.Name)
		names[k.Name] = true
		require.Contains(t, string(page), "`"+k.Name+"`")
		require.True(t, acts(k), "%s has not the hook of its point", k.Name)
	}
	require.LessOrEqual(t, int(random.StreamFault)+MaxPerDevice*int(streamsPerFault), 256)
}

// acts reports whether a row of the table has the hook of its point, and none of another point.
func acts(k Kind) bool {
	has := []bool{k.Connect != nil || k.Port != nil, k.Upload != nil, k.Body != nil, k.Install != nil, k.Respond != nil,
		k.Report != nil}
	want := map[Point]int{PointConnect: 0, PointReuse: 0, PointUpload: 1, PointBody: 2, PointInstall: 3,
		PointResponse: 4, PointReport: 5}[k.Point]
	for i := range has {
		if has[i] != (i == want) {
			return false
		}
	}
	return k.Port == nil || k.NeedsPort || k.Connect != nil
}

// TestInjectionsAreAPureFunction checks that the seed alone decides on which devices and attempts a
// fault acts, and with which amounts, and that as many devices are affected as the share says.
func TestInjectionsAreAPureFunction(t *testing.T) {
	spread, err := random.ParseInt("uniform(0, 100000)")
	require.NoError(t, err)
	set := Compile([]Fault{{Kind: "reset-mid-upload", Share: 0.25, First: 2, AfterBytes: spread},
		{Kind: "status-500", Share: 0.5}})
	outcome := func(seed uint64, order func(n int) int) (out []string, hit int) {
		const devices = 4000
		out = make([]string, devices)
		for n := range devices {
			i := order(n) % devices
			for attempt := range uint32(3) {
				in := set.Injections(Attempt{Seed: seed, Device: i, Number: attempt + 1}, &Request{})
				if !in.Upload.IsZero() {
					require.Less(t, attempt, uint32(2))
					out[i] += fmt.Sprint(in.Upload.Offset(), " ")
				}
				if !in.Response.IsZero() {
					out[i] += "500 "
				}
			}
			if strings.Count(out[i], " ") >= 5 || strings.Count(out[i], " ") == 2 {
				hit++
			}
		}
		return out, hit
	}
	forward, hit := outcome(7, func(n int) int { return n })
	again, _ := outcome(7, func(n int) int { return 3999 - n })
	require.Equal(t, forward, again)
	other, _ := outcome(8, func(n int) int { return n })
	require.NotEqual(t, forward, other)
	require.InDelta(t, 1000, hit, 120, "a quarter of them")
}
