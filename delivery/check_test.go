package delivery

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// looker is a device that answers verification n, from 1, as says returns: with an *Error, or with
// nil if it runs the update.
type looker struct {
	says  func(n int) *Error
	looks int
}

func (l *looker) verify(context.Context, Device, *Update) *Error {
	l.looks++
	e := l.says(l.looks)
	if e == nil {
		return nil
	}
	own := *e // a Check may change it
	return &own
}

// halves always draws 0.5.
type halves struct{}

func (halves) Uint64() uint64 { return 1 << 52 }

// check runs a Check of the device.
func (l *looker) check(ctx context.Context, goodReads int, opts CheckOptions) (Report, *Error) {
	retry := Retry{MaxAttempts: 3, Base: time.Second, Cap: 4 * time.Second, Poll: time.Second, PollFor: time.Minute,
		GoodReads: goodReads}
	var report Report
	_, e := checking{l, retry.withDefaults(), newDice(halves{})}.run(ctx, Device{ID: "till-0"}, nil, opts, &report)
	return report, e
}

func says(class Class, cause error) *Error {
	return &Error{Op: OpVerify, Class: class, Err: cause, RetryAfter: 3 * time.Second}
}

// onceThen returns the answers of a device that is installing at the first look, answers the given
// number of further looks with e, and every look after those with last.
func onceThen(times int, e, last *Error) func(int) *Error {
	return func(n int) *Error {
		switch {
		case n == 1:
			return &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
		case n <= times+1:
			return e
		}
		return last
	}
}

func always(e *Error) func(int) *Error { return func(int) *Error { return e } }

// TestCheck checks the result of a Check by what the device says, how often it is asked, and for
// how long.
func TestCheck(t *testing.T) {
	gone := &Error{Op: OpVerify, Class: ClassNotSent, Err: errStatus}
	for name, row := range map[string]struct {
		says     func(n int) *Error
		opts     CheckOptions
		want     Class // ClassUnknown: it runs the update
		lacks    bool  // it may be pushed to
		verifies int
		waited   time.Duration
	}{
		"has it": {says: always(nil), verifies: 1},
		"lacks it": {says: always(says(ClassIntegrity, ErrLacksUpdate)), want: ClassIntegrity, lacks: true,
			verifies: 1},
		"failed to before": {says: always(says(ClassIntegrity, ErrDeviceFailed)), want: ClassIntegrity, lacks: true,
			verifies: 1},
		"other content": {says: always(says(ClassIntegrity, ErrWrongDigest)), want: ClassIntegrity, verifies: 1},
		"other device":  {says: always(says(ClassIntegrity, ErrWrongDevice)), want: ClassIntegrity, verifies: 1},
		"no such path":  {says: always(says(ClassPermanent, errStatus)), want: ClassPermanent, verifies: 1},
		"installs, then has it": {says: func(n int) *Error {
			if n < 4 {
				return &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
			}
			return nil
		}, verifies: 4, waited: 3 * time.Second},
		"installs for ever": {says: always(&Error{Class: ClassPending, Err: errStillBusy}), want: ClassPending,
			verifies: 61, waited: time.Minute},
		"installs, names a time": {says: always(says(ClassPending, errStillBusy)), want: ClassPending, verifies: 21,
			waited: time.Minute},
		"installs, then is gone":  {says: onceThen(20, gone, nil), verifies: 22, waited: 21 * time.Second},
		"installs, gone for good": {says: onceThen(1000, gone, nil), want: ClassNotSent, verifies: 61, waited: time.Minute},
		"installs, then broke HTTP": {says: onceThen(1000, &Error{Class: ClassProtocol, Err: errStatus}, nil),
			want: ClassProtocol, verifies: 4, waited: 2500 * time.Millisecond},
		"answers the third time": {says: func(n int) *Error {
			if n < 3 {
				return says(ClassAmbiguous, errStatus)
			}
			return nil
		}, verifies: 3, waited: 6 * time.Second}, // as long as it asked for
		"never answers": {says: always(says(ClassTimeout, errStatus)), want: ClassTimeout, verifies: 3,
			waited: 6 * time.Second},
		"backs off": {says: always(&Error{Class: ClassNotSent, Err: errStatus}), want: ClassNotSent, verifies: 3,
			waited: 1500 * time.Millisecond},

		"may be rebooting, and comes back": {says: func(n int) *Error {
			if n >= 21 {
				return nil
			}
			return gone
		}, opts: CheckOptions{MayBeRebooting: true}, verifies: 22, waited: 21 * time.Second}, // and says so twice
		"may be rebooting, and never comes back": {says: always(gone), opts: CheckOptions{MayBeRebooting: true},
			want: ClassNotSent, verifies: 61, waited: time.Minute},
		"was pushed to, and is gone": {says: always(gone), opts: CheckOptions{Pushed: true}, want: ClassNotSent,
			verifies: 3, waited: 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, l := time.Now(), &looker{says: row.says}
				report, e := l.check(t.Context(), 1, row.opts)
				if row.want == ClassUnknown {
					require.Nil(t, e)
				} else {
					require.Equal(t, row.want, e.Class, "%v", e)
					require.Equal(t, row.lacks, LacksUpdate(e))
					require.Equal(t, row.want == ClassIntegrity && !row.lacks, e.Is(ErrQuarantined), "%v", e)
				}
				require.Equal(t, row.verifies, l.looks)
				require.Equal(t, Report{Verifies: row.verifies, Waited: row.waited}, report)
				require.Equal(t, row.waited, time.Since(began))
			})
		})
	}
}

// TestCheckEndsWithItsContext checks that no wait outlives the context, neither between two
// failures nor between two good reads.
func TestCheckEndsWithItsContext(t *testing.T) {
	for name, row := range map[string]struct {
		says  *Error
		want  Class
		cause error
	}{
		"installs": {says(ClassPending, errStillBusy), ClassPending, errStillBusy},
		"has it":   {nil, ClassTimeout, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				began, l := time.Now(), &looker{says: always(row.says)}
				report, e := l.check(ctx, 2, CheckOptions{Pushed: true})
				require.Equal(t, row.want, ClassOf(e))
				require.ErrorIs(t, e, row.cause)
				require.Equal(t, time.Second/2, time.Since(began))
				require.Equal(t, Report{Verifies: 1, Waited: time.Second / 2}, report)
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &looker{says: func(int) *Error { cancel(); return says(ClassCanceled, context.Canceled) }}
	_, e := l.check(ctx, 1, CheckOptions{MayBeRebooting: true})
	require.Equal(t, ClassCanceled, e.Class)
	require.Equal(t, 1, l.looks)
}

// TestCheckCountsGoodReads checks that a device that was pushed to must say that it runs the update
// as often as in a Deliver, because it may have rebooted with the update and rolled back since.
func TestCheckCountsGoodReads(t *testing.T) {
	busy := &Error{Op: OpVerify, Class: ClassPending, Err: errStillBusy}
	gone := &Error{Op: OpVerify, Class: ClassNotSent, Err: errStatus}
	lacks := &Error{Op: OpVerify, Class: ClassIntegrity, Err: ErrLacksUpdate}
	for name, row := range map[string]struct {
		says      []*Error // nil: that it runs the update; the last one for ever
		goodReads int
		is        error // nil: it runs the update
		verifies  int   // of a device that may be rebooting
		pushed    int   // of one that was pushed to
		fresh     int   // of one that wasn't
	}{
		"right at once":     {[]*Error{nil}, 1, nil, 1, 1, 1},
		"three wanted":      {[]*Error{nil}, 3, nil, 3, 3, 1},
		"gone, then right":  {[]*Error{gone, nil}, 1, nil, 3, 3, 2},
		"busy, then right":  {[]*Error{busy, nil}, 1, nil, 3, 3, 2},
		"in a row":          {[]*Error{gone, nil, busy, nil}, 1, nil, 5, 5, 2},
		"rolled back":       {[]*Error{gone, nil, lacks}, 1, ErrRolledBack, 3, 3, 2},
		"rolled back later": {[]*Error{nil, nil, lacks}, 3, ErrRolledBack, 3, 3, 1},
		"gone, then not":    {[]*Error{gone, lacks}, 1, ErrLacksUpdate, 2, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for opts, verifies := range map[CheckOptions]int{
					{MayBeRebooting: true}:               row.verifies,
					{MayBeRebooting: true, Pushed: true}: row.verifies,
					{Pushed: true}:                       row.pushed,
					{}:                                   row.fresh,
				} {
					l := &looker{says: func(n int) *Error { return row.says[min(n, len(row.says))-1] }}
					_, e := l.check(t.Context(), row.goodReads, opts)
					require.Equal(t, verifies, l.looks, "%+v", opts)
					if row.is == nil || row.is == ErrRolledBack && opts == (CheckOptions{}) {
						require.Nil(t, e)
						continue
					}
					require.ErrorIs(t, e, row.is)
					require.Equal(t, row.is == ErrLacksUpdate, LacksUpdate(e))
					require.Equal(t, row.is == ErrRolledBack, e.Is(ErrQuarantined))
				}
			})
		})
	}
}

// TestCheckOverTheWire runs a Check over connections. It counts as one operation of the device's
// breaker.
func TestCheckOverTheWire(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Breaker = Breaker{Failures: 2, CoolDown: time.Hour}
		c, dev, u := newClient(t, cfg), newTestDevice(t), newUpdate(t, "2", []byte("x"))
		report, err := c.Check(t.Context(), dev.Device, u, CheckOptions{})
		require.ErrorIs(t, err, ErrLacksUpdate)
		require.True(t, LacksUpdate(err))
		require.NotErrorIs(t, err, ErrQuarantined)
		require.Equal(t, []int{0, 1, 0}, []int{report.Pushes, report.Verifies, int(report.Waited)})
		require.Positive(t, report.Verify)
		_, err = c.Deliver(t.Context(), dev.Device, u)
		require.NoError(t, err)
		_, err = c.Check(t.Context(), dev.Device, u, CheckOptions{})
		require.NoError(t, err)
		_, err = c.Check(t.Context(), dev.Device, newUpdate(t, "2", []byte("y")), CheckOptions{})
		require.ErrorIs(t, err, ErrWrongDigest)
		require.ErrorIs(t, err, ErrQuarantined)
		require.False(t, LacksUpdate(err))
		_, err = c.Check(t.Context(), dev.Device, nil, CheckOptions{})
		require.ErrorContains(t, err, "update is nil: make one with NewUpdate")
		require.False(t, LacksUpdate(nil))

		dev.mu.Lock()
		dev.onVerify = func(_ int, w http.ResponseWriter) bool {
			w.WriteHeader(500)
			return true
		}
		dev.mu.Unlock()
		for _, verifies := range []int{4, 4, 0} { // four questions are one failure, the second opens it
			_, before, _ := dev.counts()
			report, err = c.Check(t.Context(), dev.Device, u, CheckOptions{})
			_, after, _ := dev.counts()
			require.Equal(t, []int{verifies, verifies}, []int{report.Verifies, after - before})
		}
		require.ErrorIs(t, err, ErrBreakerOpen)
	})
}
