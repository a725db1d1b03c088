package osinfo

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOtherProcesses checks that the time of a child counts after its end, with its parent, unless
// the parent is one of ours.
func TestOtherProcesses(t *testing.T) {
	child := exec.Command("/bin/sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
	before, ok := OtherProcesses(os.Getpid())
	require.True(t, ok)
	mine, _ := OtherProcesses()
	require.GreaterOrEqual(t, mine, before)
	require.NoError(t, child.Run())
	used := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	after, _ := OtherProcesses()
	require.GreaterOrEqual(t, after-mine, used-20*time.Millisecond, "the clock goes in steps of 10 ms")
}

func TestReadLocalPorts(t *testing.T) {
	if ReadLocalPorts("/") == nil {
		t.Skip("this system doesn't tell")
	}
	const stat = "sockets: used 12\nTCP: inuse 1 orphan 0 tw 4711 alloc 1 mem 0\nUDP: inuse 0 mem 0\n"
	for name, row := range map[string]struct {
		ports, sockets string
		want           *LocalPorts
	}{
		"whole":             {"32768\t60999\n", stat, &LocalPorts{First: 32768, Last: 60999, TimeWait: 4711}},
		"no range":          {"", stat, nil},
		"half a range":      {"32768", stat, nil},
		"no sockets":        {"32768\t60999\n", "", nil},
		"no TIME_WAIT told": {"32768\t60999\n", "sockets: used 12\nTCP: inuse 1\n", nil},
		"no TCP":            {"32768\t60999\n", "sockets: used 12\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range map[string]string{"proc/sys/net/ipv4/ip_local_port_range": row.ports,
				"proc/net/sockstat": row.sockets} {
				if text == "" {
					continue
				}
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o600))
			}
			require.Equal(t, row.want, ReadLocalPorts(root))
		})
	}
}

func TestThisProcess(t *testing.T) {
	require.Positive(t, ProcessorTime())
	before, names := OpenDescriptors(), DescriptorNames()
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	require.Equal(t, before+1, OpenDescriptors())
	require.Equal(t, names["/dev/null"]+1, DescriptorNames()["/dev/null"])
	require.NoError(t, f.Close())
	limit, known := DescriptorLimit()
	require.True(t, known)
	require.GreaterOrEqual(t, limit, uint64(before))
	require.Greater(t, PeakResident(), uint64(1<<20))
}

// TestProcessorTimeOf compares the figures of this process by its id with its own, and checks that
// the time of a child that has ended is in them.
func TestProcessorTimeOf(t *testing.T) {
	before := ProcessorTime()
	got, ok := ProcessorTimeOf(os.Getpid())
	require.True(t, ok)
	require.GreaterOrEqual(t, got, before)
	child := exec.Command("sh", "-c", `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done`)
	require.NoError(t, child.Run())
	after, ok := ProcessorTimeOf(os.Getpid())
	require.True(t, ok)
	const tick = 10 * time.Millisecond // to which the kernel rounds the children's user time, and their system time
	require.Greater(t, after-got, child.ProcessState.UserTime()+child.ProcessState.SystemTime()-2*tick)
	require.InEpsilon(t, PeakResident(), PeakResidentOf(os.Getpid()), 0.5)
	ResetPeakResidentOf(os.Getpid())

	gone := child.Process.Pid
	_, ok = ProcessorTimeOf(gone)
	require.False(t, ok)
	require.Zero(t, PeakResidentOf(gone))
}
