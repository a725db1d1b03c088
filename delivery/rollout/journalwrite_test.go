package rollout

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// slowFile keeps what is written to it, and fails when a test tells it to.
type slowFile struct {
	mu      sync.Mutex
	text    []byte
	synced  int
	writes  []int // lines
	full    bool
	syncErr error
	closed  error
	gate    chan struct{} // a write waits for it
}

func (f *slowFile) Write(p []byte) (int, error) {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		f.text = append(f.text, p[:len(p)/2]...)
		return len(p) / 2, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	f.text = append(f.text, p...)
	f.writes = append(f.writes, bytes.Count(p, []byte("\n")))
	return len(p), nil
}

func (f *slowFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = len(f.text)
	return f.syncErr
}

func (f *slowFile) Close() error { return f.closed }

func (f *slowFile) onDisk() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Count(f.text[:f.synced], []byte("\n"))
}

func TestJournalBatchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slowFile{}
		j := newJournal(f, Journal{Every: time.Second, Records: 10}, func(err error) error { return err }, func(error) {})
		add := func(n int) {
			for range n {
				require.NoError(t, j.add(journalRecord{Event: eventBegun}))
			}
		}
		add(9)
		synctest.Wait()
		require.Zero(t, f.onDisk(), "a batch that is neither full nor old")
		add(1)
		synctest.Wait()
		require.Equal(t, 10, f.onDisk(), "a full one is written and synced")
		add(3)
		pacing.Wait(t.Context(), time.Second, nil)
		synctest.Wait()
		require.Equal(t, 13, f.onDisk(), "an old one too")
		add(4)
		require.NoError(t, j.close())
		require.Equal(t, 17, f.onDisk(), "and the last")
		require.Equal(t, []int{10, 3, 4}, f.writes)
	})
}

// TestJournalHoldsNoMoreThanTwoBatches checks that workers wait for a slow disk.
func TestJournalHoldsNoMoreThanTwoBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slowFile{gate: make(chan struct{})}
		j := newJournal(f, Journal{Every: time.Hour, Records: 10}, func(err error) error { return err }, func(error) {})
		added := 0
		go func() {
			for range 50 {
				if j.add(journalRecord{Event: eventBegun}) != nil {
					return
				}
				added++
			}
		}()
		synctest.Wait()
		require.Equal(t, 20, added)
		f.gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, 30, added)
		close(f.gate)
		synctest.Wait()
		require.NoError(t, j.close())
		require.Equal(t, 50, f.onDisk())
	})
}

func TestJournalOnAFullDisk(t *testing.T) {
	for name, f := range map[string]*slowFile{"write": {full: true}, "sync": {syncErr: syscall.ENOSPC}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told error
				wrap := func(err error) error { return &JournalError{Path: "p", Err: err} }
				j := newJournal(f, Journal{Every: time.Hour, Records: 2}, wrap, func(err error) { told = err })
				require.NoError(t, j.add(journalRecord{Event: eventBegun}))
				require.NoError(t, j.add(journalRecord{Event: eventBegun}))
				synctest.Wait()
				require.ErrorIs(t, told, syscall.ENOSPC)
				require.ErrorIs(t, j.add(journalRecord{Event: eventBegun}), syscall.ENOSPC)
				writes := len(f.text)
				require.ErrorIs(t, j.close(), syscall.ENOSPC)
				require.Len(t, f.text, writes, "nothing is written after what was lost")
			})
		})
	}
	f := &slowFile{closed: syscall.EIO}
	j := newJournal(f, Journal{Every: time.Hour, Records: 2}, func(err error) error { return err }, func(error) {})
	require.ErrorIs(t, j.close(), syscall.EIO)
}
