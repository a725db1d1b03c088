package delivery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWavesAreOfTheirSize: a wave is near its share, and the same in any order.
func TestWavesAreOfTheirSize(t *testing.T) {
	below := map[float64]int{}
	for d := range rolloutDevices(100_000) {
		_, place := fingerprint(d)
		if place < 0 || place >= 1 {
			t.Fatal(d, place)
		}
		for _, share := range []float64{0.01, 0.1, 0.5} {
			if place < share {
				below[share]++
			}
		}
	}
	// Four standard deviations of a binomial distribution: sqrt(n·p·(1-p)).
	require.InDelta(t, 1_000, below[0.01], 4*31.5)
	require.InDelta(t, 10_000, below[0.1], 4*94.9)
	require.InDelta(t, 50_000, below[0.5], 4*158.1)
}

// What sha256sum says of "itill-17": the first 16 bytes, and the last 8 as a share of 2^64.
const (
	tillKey   = "299cec1141bb353875f4c54d8a723135"
	tillPlace = 0.1879038999138294
)

// TestFingerprint holds what journals and waves rest on.
func TestFingerprint(t *testing.T) {
	key, place := fingerprint(Device{ID: "till-17", Address: "http://a"})
	require.Equal(t, tillKey, fmt.Sprintf("%x", key))
	require.InDelta(t, tillPlace, place, 1e-12)
	same, _ := fingerprint(Device{ID: "till-17", Address: "http://b"})
	require.Equal(t, key, same)
	byAddress, _ := fingerprint(Device{Address: "till-17"})
	require.NotEqual(t, key, byAddress)
}

func TestRolloutStopsWhereTooManyFail(t *testing.T) {
	some := func(share float64) func(Device) Class {
		n := 0.0
		return func(Device) Class { // called under the fleet's lock
			if n += share; n >= 1 {
				n--
				return ClassTimeout
			}
			return ClassUnknown
		}
	}
	for name, row := range map[string]struct {
		cfg   RolloutConfig
		fails func(Device) Class
		want  string // of the error; empty: it goes through
	}{
		"no threshold":    {RolloutConfig{}, some(1), ""},
		"below it":        {RolloutConfig{AbortShare: 0.11, AbortLeast: 30}, some(0.1), ""},
		"in the canary":   {RolloutConfig{Waves: []Wave{{Share: 0.1}, {Share: 1}}, AbortShare: 0.1}, some(0.25), "rollout stopped in wave 1 (10%): 5 of 20 devices failed (5 timeout), 25%: want less than 10%"},
		"in the long run": {RolloutConfig{AbortShare: 0.5, AbortLeast: 100}, some(1), "rollout stopped in wave 1 (100%): 100 of 100 devices failed (100 timeout), 100%: want less than 50%"},
		"too few to judge, but all": {RolloutConfig{Waves: []Wave{{Share: 0.005}, {Share: 1}}, AbortShare: 0.5, AbortLeast: 500}, some(1),
			"devices failed"},
		"too few to judge, and not all": {RolloutConfig{Waves: []Wave{{Share: 0.01}, {Share: 1}}, AbortShare: 0.3, AbortLeast: 500}, func() func(Device) Class {
			n := 0
			return func(Device) Class {
				if n++; n <= 5 {
					return ClassPermanent
				}
				return ClassUnknown
			}
		}(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Workers = 1
				f := &rolloutFleet{takes: time.Second, fails: row.fails}
				report, err := testRollout(t, f, row.cfg).Run(t.Context(), rolloutDevices(1000))
				require.Equal(t, len(f.begun), report.Updated+report.Failed.Total())
				if row.want == "" {
					require.NoError(t, err)
					require.Len(t, f.begun, 1000)
					return
				}
				require.ErrorContains(t, err, row.want)
				abort, ok := errors.AsType[*RolloutAbortError](err)
				require.True(t, ok)
				require.Equal(t, report.Failed, abort.Failed)
				require.Len(t, f.begun, abort.Finished, "and no further one was begun")
				require.Positive(t, report.NotReached)
			})
		})
	}
}

func TestRolloutWaitsForThoseUnderWayWhenItAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second, fails: func(Device) Class { return ClassProtocol }}
		report, err := testRollout(t, f, RolloutConfig{Workers: 16, AbortShare: 1, AbortLeast: 1}).Run(t.Context(), rolloutDevices(1000))
		_, ok := errors.AsType[*RolloutAbortError](err)
		require.True(t, ok)
		require.GreaterOrEqual(t, report.Failed[ClassProtocol], 16)
		require.Equal(t, len(f.begun), report.Failed.Total())
		require.Contains(t, report.String(), "failed (")
	})
}

func TestRolloutSoaksAndAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{}
		began := time.Now()
		var asked []string
		cfg := RolloutConfig{
			Waves: []Wave{{Share: 1e-9, Soak: 700 * time.Hour}, {Share: 0.1, Soak: time.Hour}, {Share: 0.5, Soak: 2 * time.Hour}, {Share: 1, Soak: 3 * time.Hour}},
			Approve: func(_ context.Context, w Wave, p RolloutReport) error {
				asked = append(asked, fmt.Sprint(w, " after ", time.Since(began), ", wave ", p.Wave))
				return nil
			},
		}
		report, err := testRollout(t, f, cfg).Run(t.Context(), rolloutDevices(200))
		require.NoError(t, err)
		require.Equal(t, 200, report.Updated)
		require.Equal(t, []string{"1e-07% after 0s, wave 1", "10% after 1h0m0s, wave 2", "50% after 3h0m0s, wave 3"}, asked)
		require.Equal(t, 3*time.Hour, time.Since(began), "not after a wave without a device, nor after the last")

		no := errors.New("the shop is full")
		cfg.Approve = func(context.Context, Wave, RolloutReport) error { return no }
		f = &rolloutFleet{}
		report, err = testRollout(t, f, cfg).Run(t.Context(), rolloutDevices(200))
		require.ErrorIs(t, err, no)
		require.Empty(t, f.begun)
		require.Equal(t, 200, report.NotReached)
		require.True(t, report.Counted)
	})
}

func TestRolloutToAShareOnly(t *testing.T) {
	f := &rolloutFleet{}
	report, err := testRollout(t, f, RolloutConfig{Waves: []Wave{{Share: 0.3}}}).Run(t.Context(), rolloutDevices(1000))
	require.NoError(t, err)
	require.InDelta(t, 300, report.Updated, 60)
	require.Equal(t, 1000-report.Updated, report.NotReached)
}

func TestRolloutWantsARepeatableSequence(t *testing.T) {
	once := func() iter.Seq[Device] {
		left := make(chan Device, 10)
		for d := range rolloutDevices(10) {
			left <- d
		}
		close(left)
		return func(yield func(Device) bool) {
			for d := range left {
				if !yield(d) {
					return
				}
			}
		}
	}
	report, err := testRollout(t, &rolloutFleet{}, RolloutConfig{Waves: []Wave{{Share: 0.5}, {Share: 1}}}).Run(t.Context(), once())
	require.ErrorIs(t, err, ErrNotRepeatable)
	require.Positive(t, report.NotReached)
	report, err = testRollout(t, &rolloutFleet{}, RolloutConfig{}).Run(t.Context(), once())
	require.NoError(t, err)
	require.Equal(t, 10, report.Updated)
	_, err = testRollout(t, &rolloutFleet{}, RolloutConfig{}).Run(t.Context(), nil)
	require.Error(t, err)
}
