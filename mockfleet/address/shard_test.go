package address

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShardsHaveEachDeviceOnce(t *testing.T) {
	for _, count := range []int{0, 1, 2, 3, 7} {
		for _, devices := range []int{1, 2, 7, 8, 20} {
			owner := map[int]int{}
			for index := range max(1, count) {
				s := Shard{index, count}
				for i := range s.Len(devices) {
					n := s.Number(i)
					require.NotContains(t, owner, n)
					require.Less(t, n, devices)
					require.Equal(t, i, s.Local(n))
					owner[n] = index
				}
				for n := range devices {
					require.Equal(t, s.Holds(n), n%max(1, count) == index)
				}
			}
			require.Len(t, owner, devices)
		}
	}
}

func TestShard(t *testing.T) {
	s := Shard{Index: 1, Count: 3} // of ten devices 1, 4 and 7
	require.Equal(t, 3, s.Len(10))
	require.Equal(t, []int{1, 4, 7}, []int{s.Number(0), s.Number(1), s.Number(2)})
	require.Equal(t, 2, s.Local(7))
	require.Equal(t, 0, Shard{Index: 6, Count: 7}.Len(6))
	require.False(t, s.IsWhole())
	require.True(t, Shard{}.IsWhole())
	require.True(t, Shard{Count: 1}.IsWhole())
	require.Equal(t, "1/3", s.String())
	parsed, err := ParseShard("1/3")
	require.NoError(t, err)
	require.Equal(t, s, parsed)
	for _, bad := range []string{"", "1", "1/", "/3", "3/3", "-1/3", "0/0", "0/4097", "1/3/3", "a/b", " 1/3"} {
		_, err := ParseShard(bad)
		require.ErrorContains(t, err, "want INDEX/COUNT, such as 0/4: an index below the count, which is 4096 at most")
	}
	require.Equal(t, "whole", Shard{}.String())
}
