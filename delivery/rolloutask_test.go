package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRolloutAsks is the policy of what comes before a push, where one comes before.
func TestRolloutAsks(t *testing.T) {
	says := func(class Class, cause error) error {
		return &Error{Op: OpVerify, Class: class, Err: cause, RetryAfter: 3 * time.Second}
	}
	for name, row := range map[string]struct {
		verify   func(Device, int) error
		want     RolloutEventKind
		verifies int
		waited   time.Duration
	}{
		"has it":           {func(Device, int) error { return nil }, DeviceHadIt, 1, 0},
		"lacks it":         {nil, DeviceUpdated, 1, 0},
		"failed to before": {func(Device, int) error { return says(ClassIntegrity, ErrDeviceFailed) }, DeviceUpdated, 1, 0},
		"other content":    {func(Device, int) error { return says(ClassIntegrity, ErrWrongDigest) }, DeviceFailed, 1, 0},
		"other device":     {func(Device, int) error { return says(ClassIntegrity, ErrWrongDevice) }, DeviceFailed, 1, 0},
		"installs, then has it": {func(_ Device, n int) error {
			if n < 4 {
				return &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
			}
			return nil
		}, DeviceHadIt, 4, 3 * time.Second},
		"installs for ever":         {func(Device, int) error { return &Error{Class: ClassPending, Err: errStillBusy} }, DeviceFailed, 61, time.Minute},
		"installs, names a time":    {func(Device, int) error { return says(ClassPending, errStillBusy) }, DeviceFailed, 21, time.Minute},
		"installs, then is gone":    {busyThen(20, &Error{Class: ClassNotSent, Err: errStatus}, nil), DeviceHadIt, 22, 21 * time.Second},
		"installs, gone for good":   {busyThen(1000, &Error{Class: ClassNotSent, Err: errStatus}, nil), DeviceFailed, 61, time.Minute},
		"installs, then broke HTTP": {busyThen(1000, &Error{Class: ClassProtocol, Err: errStatus}, nil), DeviceFailed, 4, 2500 * time.Millisecond},
		"answers the third time": {func(_ Device, n int) error {
			if n < 3 {
				return says(ClassAmbiguous, errStatus)
			}
			return nil
		}, DeviceHadIt, 3, 6 * time.Second}, // as long as it asked for
		"never answers": {func(Device, int) error { return says(ClassTimeout, errStatus) }, DeviceFailed, 3, 6 * time.Second},
		"backs off":     {func(Device, int) error { return &Error{Class: ClassNotSent, Err: errStatus} }, DeviceFailed, 3, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &rolloutFleet{says: row.verify}
				var last RolloutEvent
				r := testRollout(t, f, RolloutConfig{SkipUpdated: true, OnEvent: func(e RolloutEvent) { last = e }})
				report, err := r.Run(t.Context(), rolloutDevices(1))
				require.NoError(t, err)
				require.Equal(t, row.want, last.Kind, "%v", last.Err)
				require.Equal(t, row.verifies, f.verifies["till-0"])
				require.Equal(t, row.verifies+report.Pushes, report.Verifies)
				require.Equal(t, row.waited, last.Report.Waited)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // and no wait outlives the context
		f := &rolloutFleet{says: func(Device, int) error { return says(ClassPending, errStillBusy) }}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		report, err := testRollout(t, f, RolloutConfig{SkipUpdated: true}).Run(ctx, rolloutDevices(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, report.Interrupted)
		require.Empty(t, f.begun)
	})
	f := &rolloutFleet{}
	ctx, cancel := context.WithCancel(t.Context())
	f.says = func(Device, int) error { cancel(); return says(ClassCanceled, context.Canceled) }
	report, err := testRollout(t, f, RolloutConfig{SkipUpdated: true}).Run(ctx, rolloutDevices(1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, report.Interrupted)
}

// busyThen is a device that installs at the first look, is seen by the next so many as e
// says, and then as last says.
func busyThen(times int, e *Error, last error) func(Device, int) error {
	return func(_ Device, n int) error {
		switch {
		case n == 1:
			return &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
		case n <= times+1:
			return e
		}
		return last
	}
}

// TestRolloutWaitsForWhatWasUnderWay: a device that the run before was updating may be
// rebooting, for longer than a device that was not begun is worth waiting for.
func TestRolloutWaitsForWhatWasUnderWay(t *testing.T) {
	gone := &Error{Op: OpVerify, Class: ClassNotSent, Err: errStatus}
	for name, row := range map[string]struct {
		back     int // the look that finds it again
		killed   int // runs that ended while it was under way
		want     RolloutEventKind
		verifies int
	}{
		"comes back":     {21, 1, DeviceHadIt, 22},    // and says so twice
		"never does":     {1000, 1, DeviceFailed, 61}, // Retry.PollFor, a Poll apart
		"was waited for": {21, 2, DeviceFailed, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := RolloutConfig{Workers: 1, Journal: JournalConfig{Path: journalPath(t)}}
				for range row.killed {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
					defer cancel()
					_, err := testRollout(t, &rolloutFleet{takes: time.Second}, cfg).Run(ctx, rolloutDevices(2))
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}

				f := &rolloutFleet{says: func(d Device, n int) error {
					if d.ID == "till-0" && n >= row.back {
						return nil
					}
					return gone
				}}
				ends := map[string]RolloutEventKind{}
				cfg.OnEvent = func(e RolloutEvent) { ends[e.Device.ID] = e.Kind }
				report, err := testRollout(t, f, cfg).Run(t.Context(), rolloutDevices(2))
				require.NoError(t, err)
				require.Equal(t, JournalState{UnderWay: 1}, report.Journal)
				require.Equal(t, row.want, ends["till-0"])
				require.Equal(t, DeviceFailed, ends["till-1"])
				require.Equal(t, map[string]int{"till-0": row.verifies, "till-1": 3}, f.verifies)
				require.Empty(t, f.begun)
			})
		})
	}
}

// TestRolloutCountsGoodReads: what was under way may have rebooted with the update,
// come up right and gone back since: its word counts as in a Deliver.
func TestRolloutCountsGoodReads(t *testing.T) {
	busy := &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
	gone := &Error{Op: OpVerify, Class: ClassNotSent, Err: errStatus}
	lacks := &Error{Op: OpVerify, Class: ClassIntegrity, Err: ErrLacksUpdate}
	for name, row := range map[string]struct {
		says      []error // nil: that it runs the update; the last one for ever
		goodReads int
		want      RolloutEventKind
		is        error
		verifies  int
		fresh     int // what it costs, not having been under way
	}{
		"right at once":     {[]error{nil}, 1, DeviceHadIt, nil, 1, 1},
		"three wanted":      {[]error{nil}, 3, DeviceHadIt, nil, 3, 1},
		"gone, then right":  {[]error{gone, nil}, 1, DeviceHadIt, nil, 3, 2},
		"busy, then right":  {[]error{busy, nil}, 1, DeviceHadIt, nil, 3, 2},
		"in a row":          {[]error{gone, nil, busy, nil}, 1, DeviceHadIt, nil, 5, 2},
		"rolled back":       {[]error{gone, nil, lacks}, 1, DeviceFailed, ErrRolledBack, 3, 2},
		"rolled back later": {[]error{nil, nil, lacks}, 3, DeviceFailed, ErrRolledBack, 3, 1},
		"gone, then not":    {[]error{gone, lacks}, 1, DeviceUpdated, nil, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := RolloutConfig{Workers: 1, Journal: JournalConfig{Path: journalPath(t)}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				_, err := testRollout(t, &rolloutFleet{takes: time.Second}, cfg).Run(ctx, rolloutDevices(1))
				require.ErrorIs(t, err, context.DeadlineExceeded)

				f := &rolloutFleet{says: func(_ Device, n int) error {
					said, _ := row.says[min(n, len(row.says))-1].(*Error)
					if said == nil {
						return nil
					}
					fresh := *said
					return &fresh
				}}
				ends := map[string]RolloutEvent{}
				cfg.OnEvent = func(e RolloutEvent) { ends[e.Device.ID] = e }
				r := testRollout(t, f, cfg)
				r.retry.GoodReads = row.goodReads
				_, err = r.Run(t.Context(), rolloutDevices(2))
				require.NoError(t, err)
				require.Equal(t, row.want, ends["till-0"].Kind, "%v", ends["till-0"].Err)
				if row.is != nil {
					require.ErrorIs(t, ends["till-0"].Err, row.is)
				}
				require.Equal(t, map[string]int{"till-0": row.verifies, "till-1": row.fresh}, f.verifies)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // and the wait between two good reads doesn't outlive the context
		r := testRollout(t, &rolloutFleet{says: func(Device, int) error { return nil }}, RolloutConfig{})
		r.retry.GoodReads = 2
		ctx, cancel := context.WithTimeout(t.Context(), r.retry.Poll/2)
		defer cancel()
		has, err := r.ask(ctx, turn{begun: true}, &Report{})
		require.False(t, has)
		require.Equal(t, ClassTimeout, ClassOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestWhatARolloutFindsIsQuarantined: a device that runs other bytes under this version, or
// is another device, is left alone, whether a push or the question before it found that.
func TestWhatARolloutFindsIsQuarantined(t *testing.T) {
	for _, cause := range []error{ErrWrongDigest, ErrWrongDevice} {
		f := &rolloutFleet{says: func(Device, int) error { return &Error{Op: OpVerify, Class: ClassIntegrity, Err: cause} }}
		var failed error
		_, err := testRollout(t, f, RolloutConfig{SkipUpdated: true, OnEvent: func(e RolloutEvent) {
			if e.Kind == DeviceFailed {
				failed = e.Err
			}
		}}).Run(t.Context(), rolloutDevices(1))
		require.NoError(t, err)
		require.ErrorIs(t, failed, cause)
		require.ErrorIs(t, failed, ErrQuarantined)
		require.Empty(t, f.begun)
	}
}
