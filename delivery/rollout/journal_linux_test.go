package rollout

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRolloutStopsWhenTheDiskIsFull uses a real file on a full device.
func TestRolloutStopsWhenTheDiskIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	f := &fakeClient{takes: time.Millisecond}
	r := newTestRollout(t, f, Options{Workers: 4, Waves: []Wave{{Share: 0.5}, {Share: 1}}})
	wrap := func(err error) error { return &JournalError{Path: "p", Err: err} }
	r.journal = newJournal(full, Journal{Every: time.Hour, Records: 10}, wrap, func(err error) { r.stop(err) })
	report, err := r.Run(t.Context(), tills(10_000))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Less(t, report.Updated, 30, "no more than what fits two batches and the workers' hands")
	require.Equal(t, len(f.begun), report.Updated)
	require.Positive(t, report.NotReached)

	_, err = journaled(t, &fakeClient{}, "/dev/full", 10, Options{})
	require.ErrorContains(t, err, "rollout journal /dev/full: want a regular file")
}
