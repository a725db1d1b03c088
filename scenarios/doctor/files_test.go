package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// system makes a directory with files in it.
func system(t *testing.T, content map[string]string) files {
	t.Helper()
	root := t.TempDir()
	for path, text := range content {
		path = filepath.Join(root, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return files(root)
}

func TestRead(t *testing.T) {
	at := system(t, map[string]string{
		"proc/meminfo":                                                      "MemTotal:  24684096 kB\nMemAvailable:   1048576 kB\n",
		"proc/sys/net/ipv4/tcp_tw_reuse":                                    "2\n",
		"proc/sys/net/core/somaxconn":                                       "4096\n",
		"proc/self/cgroup":                                                  "0::/a\n",
		"sys/fs/cgroup/a/cpu.max":                                           "max 100000\n",
		"sys/fs/cgroup/a/memory.max":                                        "2147483648\n",
		"sys/fs/cgroup/a/memory.current":                                    "1073741824\n",
		"sys/devices/system/cpu/smt/active":                                 "1\n",
		"sys/devices/system/cpu/cpufreq/boost":                              "1\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor":              "schedutil\n",
		"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor":              "performance\n",
		"sys/devices/system/cpu/cpu10/cpufreq/scaling_governor":             "schedutil\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource":   "hpet\n",
		"sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet \n",
	})
	var f Facts
	f.read(string(at))
	require.Equal(t, Facts{
		Quota: to(0.0), MemoryAvailable: to[uint64](1 << 30), MemoryLeft: to[uint64](1 << 30), ReuseTimeWait: to(2), AcceptQueue: to(4096),
		ClockSource: "hpet", ClockSources: "tsc hpet", Governors: []string{"performance", "schedutil"}, Turbo: to(true), SMT: to(true),
	}, f)
}

// TestReadNothing: where there are no such files, nothing is known.
func TestReadNothing(t *testing.T) {
	var f Facts
	f.read(t.TempDir())
	require.Equal(t, Facts{}, f)
	f.read(string(system(t, map[string]string{
		"proc/meminfo": "MemAvailable: much kB\n", "proc/sys/net/ipv4/tcp_tw_reuse": "yes\n",
		"sys/devices/system/cpu/smt/active": "-1\n", "proc/self/cgroup": "nonsense\n", "sys/devices/system/cpu/cpufreq/boost": "\n",
	})))
	require.Equal(t, Facts{}, f)
}

func TestTurbo(t *testing.T) {
	const intel, others = "sys/devices/system/cpu/intel_pstate/no_turbo", "sys/devices/system/cpu/cpufreq/boost"
	for name, row := range map[string]struct {
		content map[string]string
		want    *bool
	}{
		"Intel's, on":   {map[string]string{intel: "0"}, to(true)},
		"Intel's, off":  {map[string]string{intel: "1"}, to(false)},
		"others', on":   {map[string]string{others: "1"}, to(true)},
		"others', off":  {map[string]string{others: "0"}, to(false)},
		"nobody's":      {nil, nil},
		"Intel's first": {map[string]string{intel: "1", others: "1"}, to(false)},
	} {
		require.Equal(t, row.want, system(t, row.content).turbo(), name)
	}
}

func TestControlGroups(t *testing.T) {
	const none = "9223372036854771712" // version 1's word for no limit
	for name, row := range map[string]struct {
		content map[string]string
		quota   *float64
		left    *uint64
	}{
		"none to be seen":     {nil, nil, nil},
		"version 2, the root": {map[string]string{"proc/self/cgroup": "0::/", "sys/fs/cgroup/cgroup.controllers": "cpu memory"}, to(0.0), nil},
		"version 2, a limit":  {map[string]string{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "150000 100000"}, to(1.5), nil},
		"the least of all above": {map[string]string{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "250000 100000",
			"sys/fs/cgroup/a/b/memory.max": "max", "sys/fs/cgroup/a/b/memory.current": "5", "sys/fs/cgroup/a/memory.max": "100", "sys/fs/cgroup/a/memory.current": "40"}, to(2.5), to[uint64](60)},
		"more used than may be": {map[string]string{"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "100", "sys/fs/cgroup/a/memory.current": "140"}, nil, to[uint64](0)},
		"version 1": {map[string]string{"proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/memory/m/memory.limit_in_bytes": none, "sys/fs/cgroup/memory/m/memory.usage_in_bytes": "5"}, to(0.0), nil},
		"version 1, limits": {map[string]string{"proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000", "sys/fs/cgroup/memory/memory.usage_in_bytes": "400"}, to(0.5), to[uint64](600)},
		"both versions": {map[string]string{"proc/self/cgroup": "1:cpu:/\n0::/\n", "sys/fs/cgroup/unified/cgroup.controllers": "",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, to(0.0), nil},
		"damaged": {map[string]string{"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "x y", "sys/fs/cgroup/a/memory.max": "-3"}, nil, nil},
	} {
		at := system(t, row.content)
		require.Equal(t, row.quota, at.quota(), name)
		require.Equal(t, row.left, at.memoryLeft(), name)
	}
}
