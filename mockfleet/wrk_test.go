package mockfleet

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// wrkPost returns a script that makes wrk post n bytes "x".
func wrkPost(n int) string {
	return fmt.Sprintf(`wrk.method = "POST"
wrk.body = string.rep("x", %d)
wrk.headers["Content-Type"] = %q
`, n, wire.TypeArtifact)
}

// reported returns the number that pattern finds in a tool's report.
func reported(t testing.TB, pattern, output string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(output)
	require.NotNil(t, found, output)
	n, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err, output)
	return n
}

// wrkReport checks that wrk saw only answers of 2xx or 3xx and no broken connection, both of which
// it mentions only if they happened. It returns how many requests were answered.
func wrkReport(t testing.TB, output string) uint32 {
	t.Helper()
	require.NotContains(t, output, "Non-2xx")
	require.NotContains(t, output, "Socket errors")
	n := reported(t, `^ *(\d+) requests in `, output)
	require.Positive(t, n)
	return uint32(n)
}

// TestWrkUpdatesAndVerifies checks that wrk can update devices and read their versions. wrk runs
// for a given time only, so all of its sessions run at once, for one second.
func TestWrkUpdatesAndVerifies(t *testing.T) {
	const size, connections, updated, verified = 1024, 2, 3, 4
	wrk := program(t, "wrk")
	script := inFile(t, "post.lua", []byte(wrkPost(size)))
	type session struct {
		fleet          *Fleet
		device         int
		output, reason string
	}
	var sessions []*session
	var running sync.WaitGroup
	run := func(f *Fleet, device int, arguments ...string) {
		s := &session{fleet: f, device: device}
		sessions = append(sessions, s)
		arguments = append([]string{"-t1", fmt.Sprintf("-c%d", connections), "-d1s"}, arguments...)
		running.Go(func() {
			var err error
			if s.output, err = say(t.Context(), wrk, arguments...); err != nil {
				s.reason = err.Error()
			}
		})
	}
	for _, a := range addressings() {
		f := startFleet(t, Config{Devices: 5, Addressing: a})
		run(f, updated, "-s", script, f.DeviceAddress(updated)+wire.PathUpdate)
		run(f, verified, f.DeviceAddress(verified)+wire.PathVersion)
	}
	running.Wait()
	for _, s := range sessions {
		t.Run(fmt.Sprintf("%s/device=%d", s.fleet.cfg.Addressing, s.device), func(t *testing.T) {
			require.Empty(t, s.reason)
			n := wrkReport(t, s.output)
			e := settled(t, s.fleet, s.device)
			seen := e.Verifies
			if s.device == updated {
				seen = e.Pushes
				require.Equal(t, []uint32{1, seen - 1, 0}, []uint32{e.Applied, e.Repeats, e.AppliedTwice})
				require.Equal(t, sha(bytes.Repeat([]byte("x"), size)), e.Digest)
				require.Equal(t, uint64(seen)*size, e.BytesReceived)
			}
			// When its time is up, wrk no longer counts the answers that its connections still wait
			// for.
			require.GreaterOrEqual(t, seen, n)
			require.LessOrEqual(t, seen, n+connections)
			total := s.fleet.Status()
			require.EqualValues(t, 2*(connections+1), total.ConnectionsTotal,
				"they are kept; one more is to look whether anybody listens")
			require.Zero(t, total.Rejected+total.Incomplete+total.Malformed+total.AcceptErrors)
		})
	}
}
