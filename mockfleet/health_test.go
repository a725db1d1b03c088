package mockfleet

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
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

// A watch counts from the last reset on, and a wake that is late stands for those that it kept from coming.
func TestAWatchCountsSinceTheReset(t *testing.T) {
	w := newWatch()
	for range 180 {
		w.woke(time.Millisecond)
	}
	w.woke(time.Second) // and so 49 others, of 980 ms, 960 ms, …
	w.queued(100, 128)
	w.queued(1, 128)
	w.answered(time.Millisecond)
	w.answered(time.Second)
	s := &Traffic{AcceptErrors: 7, ConnectionsNoRoom: 5}
	h := w.health(s, 9)
	require.InDelta(t, 0.54, h.WakeP90.Seconds(), 0.02) // 23 of 230 are beyond the 90th percentile: 1 s down to 560 ms
	require.InDelta(t, 1, h.WakeMax.Seconds(), 0.01)
	require.Equal(t, []int{1, 100, 128}, []int{h.AcceptQueue, h.AcceptQueuePeak, h.AcceptQueueLimit})
	require.Equal(t, []uint64{2, 1, 9}, []uint64{h.Delayed, h.Late, h.AcceptOverflows})
	require.Equal(t, time.Second, h.LateMax)
	require.Len(t, h.Problems, 3)
	require.True(t, h.Saturated)

	w.reset(9, 7, 5)
	h = w.health(s, 11)
	require.Equal(t, Health{AcceptQueue: 1, AcceptQueueLimit: 128, AcceptOverflows: 2}, h)
	require.EqualValues(t, 7, s.AcceptErrors, "the totals stay")
}

func TestAWatchKnowsTheShareOfTheLastTicks(t *testing.T) {
	w, begun := newWatch(), time.Now()
	require.Zero(t, w.share())
	for n, used := range []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 4.5} {
		w.spent(begun.Add(time.Duration(n)*time.Second), used)
	}
	// From the third to the seventh: 4.3 s of processor time in 4 s.
	require.InDelta(t, 4.3/4, w.share()*float64(runtime.NumCPU()), 1e-9)
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
