package mockfleet

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

func TestAFleetThatIsTheBottleneckSaysSo(t *testing.T) {
	type observed = server.Observed
	for name, test := range map[string]struct {
		observed observed
		want     []string
	}{
		"well": {observed{
			Wakes: 100, WakeP90: 49 * time.Millisecond, AcceptQueuePeak: 3600, AcceptQueueLimit: 4096, Delayed: 1000, Late: 10,
		}, nil},
		"few late":      {observed{Wakes: 100, Delayed: 9, Late: 9}, nil},
		"nothing known": {observed{}, nil},
		"too few wakes": {observed{Wakes: 24, WakeP90: time.Second}, nil},
		"late to look": {observed{Wakes: 25, WakeP90: 51 * time.Millisecond},
			[]string{"a tenth of the time it was 51ms late or more to look at what had come"}},
		"late answers": {observed{Wakes: 100, Delayed: 999, Late: 10, LateMax: 70 * time.Millisecond},
			[]string{"10 of 999 delayed answers left over 50ms late, the latest 70ms"}},
		"a full queue": {observed{Wakes: 100, AcceptQueuePeak: 116, AcceptQueueLimit: 128},
			[]string{"its accept queue held 116 connections, of 128 at most"}},
		"no descriptors": {observed{Wakes: 100, AcceptErrors: 3}, []string{"it could not accept connections, 3 times"}},
		"no room":        {observed{Wakes: 100, NoRoom: 3}, []string{"it refused 3 connections for want of room"}},
		"all of it": {observed{
			Wakes: 100, WakeP90: time.Second, AcceptQueuePeak: 4, AcceptQueueLimit: 4, Delayed: 10, Late: 10, AcceptErrors: 1,
			NoRoom: 1,
		}, []string{
			"it could not accept connections, 1 times", "it refused 1 connections for want of room",
			"its accept queue held 4 connections, of 4 at most", "10 of 10 delayed answers left over 50ms late, the latest 0s",
			"a tenth of the time it was 1s late or more to look at what had come",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, p := range problems(test.observed) {
				texts = append(texts, p.Text)
				require.Equal(t, strings.Contains(p.Text, "late"), p.Starved, p.Text)
			}
			require.Equal(t, test.want, texts)
		})
	}
}

// TestHealthFollowsTheServer checks that the counts of the server since the last reset reach the
// health of the fleet.
func TestHealthFollowsTheServer(t *testing.T) {
	inBubble(t, Config{Devices: 1, MaxConnections: 1}, func(t *testing.T, f *Fleet, _ net.Conn) {
		require.Empty(t, f.Status().Health.Problems)
		require.False(t, f.Status().Health.Saturated)
		for range 3 { // the connection of the bubble takes the only place
			client, refused := net.Pipe()
			require.False(t, f.server.ServeConn(refused, 0))
			require.NoError(t, client.Close())
		}
		s := f.Status()
		require.Equal(t, []Problem{{Text: "it refused 3 connections for want of room"}}, s.Health.Problems)
		require.True(t, s.Health.Saturated)
		require.EqualValues(t, 3, s.ConnectionsNoRoom)

		f.Reset()
		s = f.Status()
		require.Empty(t, s.Health.Problems)
		require.False(t, s.Health.Saturated)
		require.EqualValues(t, 3, s.ConnectionsNoRoom, "the totals stay")
	})
}

// TestDelayedAnswersAreCounted checks that delayed answers are counted, with how late they were.
// Under the bubble's clock, they are never late.
func TestDelayedAnswersAreCounted(t *testing.T) {
	cfg := Config{Devices: 1, Behavior: behavior.Behavior{Latency: delayOf(t, time.Minute)}}
	inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
		var answer wire.UpdateAnswer
		require.Equal(t, 200, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
		h := f.Status().Health
		require.Equal(t, []uint64{1, 0, 0}, []uint64{h.Delayed, h.Late, uint64(h.LateMax)})
	})
}

func TestHealthIsWhatTheServerObserved(t *testing.T) {
	h := newHealth(server.Observed{
		CPUFraction: 0.5, Wakes: 100, WakeP90: time.Second, WakeMax: 2 * time.Second, Delayed: 100, Late: 10,
		LateMax:     time.Minute,
		AcceptQueue: 1, AcceptQueuePeak: 128, AcceptQueueLimit: 128, AcceptOverflows: 9, AcceptErrors: 7, NoRoom: 5,
	})
	require.Len(t, h.Problems, 5)
	require.True(t, h.Saturated)
	h.Problems, h.Saturated = nil, false
	require.Equal(t, Health{
		CPUFraction: 0.5, WakeP90: time.Second, WakeMax: 2 * time.Second, Delayed: 100, Late: 10, LateMax: time.Minute,
		AcceptQueue: 1, AcceptQueuePeak: 128, AcceptQueueLimit: 128, AcceptOverflows: 9,
	}, h)
	require.Equal(t, Health{}, newHealth(server.Observed{}))

	// These are the figures of TestAMonitorCountsSinceTheReset, before and after the reset.
	h = newHealth(server.Observed{
		Wakes: 230, WakeP90: 540 * time.Millisecond, WakeMax: time.Second, Delayed: 2, Late: 1, LateMax: time.Second,
		AcceptQueue: 1, AcceptQueuePeak: 100, AcceptQueueLimit: 128, AcceptOverflows: 9, AcceptErrors: 7, NoRoom: 5,
	})
	require.Equal(t, []Problem{
		{Text: "it could not accept connections, 7 times"},
		{Text: "it refused 5 connections for want of room"},
		{Starved: true, Text: "a tenth of the time it was 540ms late or more to look at what had come"},
	}, h.Problems)
	require.True(t, h.Saturated)
	h = newHealth(server.Observed{AcceptQueue: 1, AcceptQueueLimit: 128, AcceptOverflows: 2})
	require.Equal(t, Health{AcceptQueue: 1, AcceptQueueLimit: 128, AcceptOverflows: 2}, h)
}
