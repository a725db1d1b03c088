package device

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func groupsOfShares(shares ...random.Share) (list []behavior.Group) {
	for i, s := range shares {
		list = append(list, behavior.Group{Name: fmt.Sprintf("g%d", i), Share: s})
	}
	return list
}

// TestSharesAreExact checks that groups have exactly as many devices as their shares say, whatever
// the seed.
func TestSharesAreExact(t *testing.T) {
	for _, test := range []struct {
		devices int
		shares  []random.Share
		want    []int // the rest last
	}{
		{1000, []random.Share{0.9, 0.08, 0.02}, []int{900, 80, 20, 0}},
		{1000, []random.Share{0.08, 0.02}, []int{80, 20, 900}},
		{10, []random.Share{0.25, 0.25}, []int{3, 2, 5}}, // 2.5 and 5, rounded
		{3, []random.Share{1.0 / 3, 1.0 / 3, 1.0 / 3}, []int{1, 1, 1, 0}},
		{7, []random.Share{0.1, 0.2, 0.3, 0.4}, []int{1, 1, 2, 3, 0}},
		{1, []random.Share{0.4, 0.6}, []int{0, 1, 0}},
		{5, nil, []int{5}},
	} {
		var before []int
		for seed := range uint64(4) {
			p := newGroups(Config{Devices: test.devices, Seed: seed, Groups: groupsOfShares(test.shares...)})
			counts, members := make([]int, len(test.want)), make([]int, test.devices)
			for i := range test.devices {
				members[i] = p.Of(i)
				counts[members[i]]++
			}
			require.Equal(t, test.want, counts)
			for g, n := range test.want {
				require.Equal(t, n, p.Size(g))
			}
			if test.devices == 1000 {
				require.NotEqual(t, before, members, "another seed, other members")
			}
			before = members
		}
	}
}
