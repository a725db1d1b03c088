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
