package mockfleet

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// abReport checks what ab reports on n requests, and returns how many answers had another length
// than the first. ab counts these as failures, but they are none: a device acknowledges a repeat in
// other words.
func abReport(t *testing.T, output string, n int, kept bool) (otherLength int) {
	t.Helper()
	require.NotContains(t, output, "Non-2xx responses")
	require.NotContains(t, output, "Write errors")
	require.EqualValues(t, n, reported(t, `^Complete requests: +(\d+)$`, output))
	if kept {
		require.EqualValues(t, n, reported(t, `^Keep-Alive requests: +(\d+)$`, output))
	}
	if strings.Contains(output, "(Connect: ") {
		otherLength = int(reported(t, `^ *\(Connect: 0, Receive: 0, Length: (\d+), Exceptions: 0\)$`, output))
	}
	require.EqualValues(t, otherLength, reported(t, `^Failed requests: +(\d+)$`, output))
	return otherLength
}

// TestABUpdatesAndVerifies checks that ab can update devices and read their versions. ab speaks
// HTTP/1.0, where a connection is kept only if both sides say so.
func TestABUpdatesAndVerifies(t *testing.T) {
	ab := program(t, "ab")
	tests := []struct {
		name        string
		size        int // of the artifact; 0 is a version request
		n, together int
	}{
		{"small updates", 1024, 200, 8},
		{"large updates", 100_000, 20, 1}, // one at a time: a busy device answers 409
		{"version requests", 0, 200, 8},
	}
	for _, a := range addressings() {
		f := startFleet(t, Config{Devices: 5, Addressing: a})
		device := f.DeviceAddress(3)
		for _, kept := range []bool{false, true} {
			for _, test := range tests {
				t.Run(fmt.Sprintf("%s/kept=%t/%s", a, kept, test.name), func(t *testing.T) {
					f.Reset()
					before := f.Status()
					arguments := []string{"-q", "-n", fmt.Sprint(test.n), "-c", fmt.Sprint(test.together)}
					if kept {
						arguments = append(arguments, "-k")
					}
					var seen int
					artifact := bytes.Repeat([]byte("x"), test.size)
					if test.size == 0 {
						output := mustSay(t, ab, append(arguments, device+wire.PathVersion)...)
						require.Zero(t, abReport(t, output, test.n, kept))
						seen = int(settled(t, f, 3).Verifies)
					} else {
						arguments = append(arguments, "-p", inFile(t, "firmware.bin", artifact), "-T", wire.TypeArtifact)
						output := mustSay(t, ab, append(arguments, device+wire.PathUpdate)...)
						// ab counts answers of another length as failures; there are none here.
						require.Zero(t, abReport(t, output, test.n, kept))
						e := settled(t, f, 3)
						seen = int(e.Pushes)
						require.Equal(t, []uint32{1, e.Pushes - 1, 0}, []uint32{e.Applied, e.Repeats, e.AppliedTwice})
						require.Equal(t, sha(artifact), e.Digest)
						require.EqualValues(t, seen*test.size, e.BytesReceived)
					}
					after := f.Status()
					// ab may have begun more requests when it has enough answers, one for each of
					// its connections.
					require.GreaterOrEqual(t, seen, test.n)
					require.LessOrEqual(t, seen, test.n+test.together)
					connections := int(after.ConnectionsTotal - before.ConnectionsTotal)
					if kept {
						require.Equal(t, test.together, connections)
					} else {
						require.GreaterOrEqual(t, connections, test.n)
						require.LessOrEqual(t, connections, test.n+test.together)
					}
					require.Zero(t, after.Rejected+after.Incomplete+after.Malformed+after.AcceptErrors)
				})
			}
		}
	}
}
