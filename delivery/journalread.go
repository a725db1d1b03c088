package delivery

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// journalFound is what was in a journal.
type journalFound struct {
	begun   bool  // it has its first line: an earlier run may have begun devices
	whole   int64 // bytes of whole lines
	torn    int   // bytes after them
	badLine int   // where reading failed, from 1
	passed  float64
	counts  [markSeen]int // devices by mark
}

func (f journalFound) state() JournalState {
	return JournalState{Done: f.counts[markDone], Failed: f.counts[markFailed], UnderWay: f.counts[markBegun] + f.counts[markStuck], TornBytes: f.torn}
}

// readJournal reads a journal of the update whose first line would be header. A last
// line without its end is what a crash leaves, and is left out. Memory is bounded by
// a line, and what marks takes.
func readJournal(r io.Reader, header []byte, marks map[deviceKey]mark) (found journalFound, err error) {
	lines := bufio.NewReaderSize(r, maxJournalLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			// A first line cut short is a journal that was only just begun, if it is ours.
			if n == 1 && !bytes.HasPrefix(header, line) {
				found.badLine = n
				return found, foreignTo(header, line)
			}
			found.torn = len(line)
			return found, nil
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("%w: longer than %d bytes", ErrJournalDamaged, maxJournalLine)
			if n == 1 {
				err = foreignTo(header, line)
			}
		case err == nil && n == 1 && !bytes.Equal(line, header):
			err = foreignTo(header, line)
		case err == nil && n > 1:
			if err = found.take(line, marks); err != nil {
				err = fmt.Errorf("%w: %w", ErrJournalDamaged, err)
			}
		}
		if err != nil {
			found.badLine = n
			return found, err
		}
		found.begun = true
		found.whole += int64(len(line))
	}
}

// foreignTo says how a first line differs from what it should be.
func foreignTo(header, line []byte) error {
	ours, err := parseJournalLine(header)
	if err != nil {
		return err // our own: it parses
	}
	theirs, err := parseJournalLine(line)
	if err != nil {
		return fmt.Errorf("%w: it doesn't begin as a journal does: %w", ErrJournalForeign, err)
	}
	return otherUpdate(theirs, ours)
}

// take takes a line that isn't the first.
func (f *journalFound) take(line []byte, marks map[deviceKey]mark) error {
	r, err := parseJournalLine(line)
	if err != nil {
		return err
	}
	var to mark
	switch r.Event {
	case eventBegun:
		to = markBegun
	case eventFailed:
		to = markFailed
	case eventDone:
		to = markDone
	case eventWave:
		if !isShare(r.Share) {
			return fmt.Errorf("share %v: want 0 to 1", r.Share)
		}
		f.passed = max(f.passed, r.Share)
		return nil
	default:
		return fmt.Errorf("event %q: want %s, %s, %s or %s", clip(r.Event), eventBegun, eventDone, eventFailed, eventWave)
	}
	key, err := hex.DecodeString(r.Device)
	if err != nil || len(key) != len(deviceKey{}) {
		return fmt.Errorf("device %q: want %d hex digits", clip(r.Device), 2*len(deviceKey{}))
	}
	old := marks[deviceKey(key)]
	if old == markDone {
		return nil // what is done stays done
	}
	if old != 0 {
		f.counts[old]--
	}
	if to == markBegun && (old == markBegun || old == markStuck) {
		to = markStuck
	}
	f.counts[to]++
	marks[deviceKey(key)] = to
	return nil
}
