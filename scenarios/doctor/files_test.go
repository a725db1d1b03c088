package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// newSystem makes a directory with the given files in it.
func newSystem(t *testing.T, content map[string]string) systemFiles {
	t.Helper()
	root := t.TempDir()
	for path, text := range content {
		path = filepath.Join(root, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return systemFiles(root)
}

func TestReadSystem(t *testing.T) {
	at := newSystem(t, map[string]string{
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
	f.readSystem(string(at))
	require.Equal(t, Facts{
		Quota: to(0.0), MemoryAvailable: to[uint64](1 << 30), MemoryLeft: to[uint64](1 << 30), ReuseTimeWait: to(2),
		AcceptQueue: to(4096),
		ClockSource: "hpet", ClockSources: "tsc hpet", Governors: []string{"performance", "schedutil"}, Turbo: to(true),
		SMT: to(true),
	}, f)
}

// TestReadSystem_nothing checks that missing and damaged files leave the facts unknown.
func TestReadSystem_nothing(t *testing.T) {
	var f Facts
	f.readSystem(t.TempDir())
	require.Equal(t, Facts{}, f)
	f.readSystem(string(newSystem(t, map[string]string{
		"proc/meminfo": "MemAvailable: much kB\n", "proc/sys/net/ipv4/tcp_tw_reuse": "yes\n",
		"sys/devices/system/cpu/smt/active": "-1\n", "proc/self/cgroup": "nonsense\n",
		"sys/devices/system/cpu/cpufreq/boost": "\n",
	})))
	require.Equal(t, Facts{}, f)
}

func TestSystemFiles_turbo(t *testing.T) {
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
		require.Equal(t, row.want, newSystem(t, row.content).turbo(), name)
	}
}
