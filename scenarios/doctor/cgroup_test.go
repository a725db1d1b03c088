package doctor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlGroups(t *testing.T) {
	const none = "9223372036854771712" // what version 1 writes for no limit
	for name, row := range map[string]struct {
		content map[string]string
		quota   *float64
		left    *uint64
	}{
		"none to be seen": {nil, nil, nil},
		"version 2, the root": {map[string]string{"proc/self/cgroup": "0::/",
			"sys/fs/cgroup/cgroup.controllers": "cpu memory"}, to(0.0), nil},
		"version 2, a limit": {map[string]string{"proc/self/cgroup": "0::/a/b",
			"sys/fs/cgroup/a/b/cpu.max": "150000 100000"}, to(1.5), nil},
		"the least of all above": {map[string]string{"proc/self/cgroup": "0::/a/b",
			"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "250000 100000",
			"sys/fs/cgroup/a/b/memory.max": "max", "sys/fs/cgroup/a/b/memory.current": "5",
			"sys/fs/cgroup/a/memory.max": "100", "sys/fs/cgroup/a/memory.current": "40"}, to(2.5), to[uint64](60)},
		"more used than may be": {map[string]string{"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "100",
			"sys/fs/cgroup/a/memory.current": "140"}, nil, to[uint64](0)},
		"version 1": {map[string]string{"proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/memory/m/memory.limit_in_bytes": none, "sys/fs/cgroup/memory/m/memory.usage_in_bytes": "5"},
			to(0.0), nil},
		"version 1, limits": {map[string]string{"proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000", "sys/fs/cgroup/memory/memory.usage_in_bytes": "400"},
			to(0.5), to[uint64](600)},
		"both versions": {map[string]string{"proc/self/cgroup": "1:cpu:/\n0::/\n",
			"sys/fs/cgroup/unified/cgroup.controllers": "",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":       "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, to(0.0), nil},
		"damaged": {map[string]string{"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "x y",
			"sys/fs/cgroup/a/memory.max": "-3"}, nil, nil},
	} {
		at := newSystem(t, row.content)
		require.Equal(t, row.quota, at.quota(), name)
		require.Equal(t, row.left, at.memoryLeft(), name)
	}
}
