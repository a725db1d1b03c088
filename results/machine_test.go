package results

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThisMachine(t *testing.T) {
	m, err := ThisMachine(context.Background())
	require.NoError(t, err)
	require.Equal(t, runtime.GOOS, m.OS)
	require.Equal(t, runtime.GOARCH, m.Arch)
	require.Equal(t, runtime.GOMAXPROCS(0), m.GOMAXPROCS)
	require.Equal(t, runtime.Version(), m.GoVersion)
	require.Positive(t, m.Cores)
	require.Greater(t, m.MemoryBytes, uint64(64<<20))
	require.NotEmpty(t, m.Kernel)
	require.Regexp(t, "^[0-9a-f]{12}$", m.Identity)

	again, err := ThisMachine(context.Background())
	require.NoError(t, err)
	require.Equal(t, m, again)
	require.True(t, m.SameAs(again))
}

// TestMachineNamesNoHost checks that a Machine doesn't name its host, since a baseline page may be
// public.
func TestMachineNamesNoHost(t *testing.T) {
	m, err := ThisMachine(context.Background())
	require.NoError(t, err)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	if len(host) > 3 { // a shorter name may be part of any word
		require.NotContains(t, string(text), host)
		require.NotContains(t, m.String(), host)
	}
}

func TestIdentity(t *testing.T) {
	base := identity("machine", "boot", "cpu", 2)
	// The beginning of what sha256sum prints of "machine", "boot", "cpu" and "2", between zero bytes.
	require.Equal(t, "7c637aedb79a", base)
	for _, other := range []string{identity("other", "boot", "cpu", 2), identity("machine", "other", "cpu", 2),
		identity("machine", "boot", "other", 2), identity("machine", "boot", "cpu", 4)} {
		require.NotEqual(t, base, other)
	}
	require.Empty(t, identity("", "", "cpu", 2))
}

func TestSameAs(t *testing.T) {
	for name, change := range map[string]func(*Machine){
		"identity":   func(m *Machine) { m.Identity = "ba9876543210" },
		"unknown":    func(m *Machine) { m.Identity = "" },
		"gomaxprocs": func(m *Machine) { m.GOMAXPROCS = 1 },
		"os":         func(m *Machine) { m.OS = "darwin" },
		"arch":       func(m *Machine) { m.Arch = "arm64" },
	} {
		other := testMachine
		change(&other)
		require.False(t, testMachine.SameAs(other), name)
		require.False(t, other.SameAs(testMachine), name)
	}
	require.True(t, testMachine.SameAs(testMachine))
	require.False(t, Machine{}.SameAs(Machine{}), "a machine without an identity is the same as no other")
	newer := testMachine
	newer.GoVersion, newer.Kernel = "go1.27.0", "6.2"
	require.True(t, testMachine.SameAs(newer), "only the software changed")
}

func TestMachineString(t *testing.T) {
	require.Equal(t, "linux/amd64, Example CPU @ 3.00GHz, 2 cores (GOMAXPROCS 2), 24.0 GiB, kernel 6.1.0, go1.26.0, 0123456789ab", testMachine.String())
	require.Equal(t, "/, unknown processor, 0 cores (GOMAXPROCS 0), 0.0 GiB, kernel unknown, , no identity",
		Machine{}.String())
}

func TestMergedMachine(t *testing.T) {
	one := Machine{
		OS: "linux", Arch: "amd64", CPU: "Example CPU", Cores: 2, GOMAXPROCS: 2, MemoryBytes: 8 << 30,
		Kernel: "6.1", GoVersion: "go1.26.0", Identity: "0123456789ab",
	}
	with := func(m Machine, change func(*Machine)) Machine { change(&m); return m }
	other := with(one, func(m *Machine) { m.Identity, m.CPU, m.Cores, m.GOMAXPROCS = "ba9876543210", "Another CPU", 4, 4 })
	unknown := with(one, func(m *Machine) { m.Identity = "" })

	require.Equal(t, one, MergedMachine([]Machine{one}))
	require.Equal(t, Machine{}, MergedMachine(nil))

	merged := MergedMachine([]Machine{one, other, one})
	// The beginning of what sha256sum prints of "agents", a zero byte, and the lines of the agents,
	// sorted, whose fields have zero bytes between them.
	require.Equal(t, Machine{
		OS: "linux", Arch: "amd64", CPU: "Another CPU and Example CPU", Cores: 6, GOMAXPROCS: 8, MemoryBytes: 16 << 30,
		Kernel: "6.1", GoVersion: "go1.26.0", Identity: "050075051479", Agents: 3, Machines: 2,
	}, merged)
	require.Equal(t, "3 agents on 2 machines: linux/amd64, Another CPU and Example CPU, 6 cores (GOMAXPROCS 8), "+
		"16.0 GiB, kernel 6.1, go1.26.0, 050075051479", merged.String())

	for name, c := range map[string]struct {
		machines []Machine
		same     bool
	}{
		"in another order":    {[]Machine{other, one, one}, true},
		"one agent less":      {[]Machine{one, other}, false},
		"the other twice":     {[]Machine{one, other, other}, false},
		"a single machine":    {[]Machine{one}, false},
		"an unknown one":      {[]Machine{one, other, unknown}, false},
		"another GOMAXPROCS":  {[]Machine{with(one, func(m *Machine) { m.GOMAXPROCS = 1 }), with(other, func(m *Machine) { m.GOMAXPROCS = 5 }), one}, false},
		"another system's Go": {[]Machine{one, other, with(one, func(m *Machine) { m.GoVersion = "go1.27.0" })}, true},
	} {
		require.Equal(t, c.same, merged.SameAs(MergedMachine(c.machines)), name)
	}
	local := MergedMachine([]Machine{one, one, one, one})
	require.Equal(t, []int{2, 8, 4, 1}, []int{local.Cores, local.GOMAXPROCS, local.Agents, local.Machines})
	require.False(t, local.SameAs(one), "four agents share what one process has alone")
	require.Empty(t, MergedMachine([]Machine{unknown, unknown}).Identity)
	require.Equal(t, 2, MergedMachine([]Machine{unknown, unknown}).Machines)

	var many []Machine
	for _, kernel := range []string{"5", "4", "3", "2", "1"} {
		many = append(many, with(one, func(m *Machine) { m.Kernel = kernel }))
	}
	require.Equal(t, "1 and 2 and 3 and 2 more", MergedMachine(many).Kernel)
}
