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
	for name, test := range map[string]struct {
		health Health
		wakes  int64
		status Traffic
		want   []string
	}{
		"well":              {Health{WakeP90: 49 * time.Millisecond, AcceptQueuePeak: 3600, AcceptQueueLimit: 4096, Delayed: 1000, Late: 10}, 100, Traffic{}, nil},
		"few late":          {Health{Delayed: 9, Late: 9}, 100, Traffic{}, nil},
		"nothing known":     {Health{}, 0, Traffic{}, nil},
		"too few wakes":     {Health{WakeP90: time.Second}, 24, Traffic{}, nil},
		"late to look":      {Health{WakeP90: 51 * time.Millisecond}, 25, Traffic{}, []string{"a tenth of the time it was 51ms late or more to look at what had come"}},
		"late answers":      {Health{Delayed: 999, Late: 10, LateMax: 70 * time.Millisecond}, 100, Traffic{}, []string{"10 of 999 delayed answers left over 50ms late, the latest 70ms"}},
		"a full queue":      {Health{AcceptQueuePeak: 116, AcceptQueueLimit: 128}, 100, Traffic{}, []string{"its accept queue held 116 connections, of 128 at most"}},
		"no descriptors":    {Health{}, 100, Traffic{AcceptErrors: 3}, []string{"it could not accept connections, 3 times"}},
		"no room":           {Health{}, 100, Traffic{ConnectionsNoRoom: 3, ConnectionsRefused: 5}, []string{"it refused 3 connections for want of room"}},
		"strangers refused": {Health{}, 100, Traffic{ConnectionsRefused: 5}, nil},
		"all of it": {Health{WakeP90: time.Second, AcceptQueuePeak: 4, AcceptQueueLimit: 4, Delayed: 10, Late: 10}, 100,
			Traffic{AcceptErrors: 1, ConnectionsNoRoom: 1}, make([]string, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.health.problems(test.wakes, &test.status)
			if name == "all of it" {
				require.Len(t, got, len(test.want))
				return
			}
			var texts []string
			for _, p := range got {
				texts = append(texts, p.Text)
				require.Equal(t, strings.Contains(name, "late"), p.Starved)
			}
			require.Equal(t, test.want, texts)
		})
	}
}

// What waits for its latency notes how late it was; under the bubble's clock, that is never.
func TestDelayedAnswersAreNoted(t *testing.T) {
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
		CPUFraction: 0.5, Wakes: 100, WakeP90: time.Second, WakeMax: 2 * time.Second, Delayed: 100, Late: 10, LateMax: time.Minute,
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
}
