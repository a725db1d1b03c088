package rollout

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// A journalScan is what was read of a journal.
type journalScan struct {
	resumed    bool                       // it has its first line: an earlier run may have started devices
	validBytes int64                      // length of all whole lines
	truncated  int                        // bytes after them, which a crash left
	badLine    int                        // line at which reading failed, from 1
	passed     Wave                       // the last wave that was passed, in both measures
	counts     [stateVisited]int          // devices by their state
	pauses     map[endpoint.Key]time.Time // when devices that failed are to have their turn, where that is known
}

func (f journalScan) summary() JournalState {
	return JournalState{Done: f.counts[stateDone], Failed: f.counts[stateFailed], UnderWay: f.counts[stateStarted] + f.counts[stateStartedTwice], TornBytes: f.truncated}
}

// readJournal reads the journal of an update whose first line is header. It leaves out what a crash
// leaves at the end: a line without its newline or, after a power failure on many file systems,
// blocks of NULs that were allocated and never written. It needs memory for one line, and for
// known.
func readJournal(r io.Reader, header []byte, known map[endpoint.Key]deviceState) (found journalScan, err error) {
	lines := bufio.NewReaderSize(r, maxJournalLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && n == 1:
			// A beginning of our own first line is a journal that was just being made.
			if !isCutShort(line, header) {
				found.badLine = n
				return found, explainMismatch(header, line)
			}
			found.truncated = len(line)
			return found, nil
		case errors.Is(err, io.EOF) && bytes.IndexByte(line, 0) < 0:
			found.truncated = len(line)
			return found, nil
		case n > 1 && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)) && bytes.IndexByte(line, 0) >= 0:
			// No line that was written holds a NUL: either nothing was written from here on, or the
			// journal is damaged.
			torn, valid, err := unwrittenTail(line, lines)
			if err == nil && !valid {
				found.truncated = torn
				return found, nil
			}
			if err == nil {
				err = fmt.Errorf("%w: NULs, and whole lines after them", ErrJournalDamaged)
			}
			found.badLine = n
			return found, err
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("%w: longer than %d bytes", ErrJournalDamaged, maxJournalLine)
			if n == 1 {
				err = explainMismatch(header, line)
			}
		case err == nil && n == 1 && !bytes.Equal(line, header):
			err = explainMismatch(header, line)
		case err == nil && n > 1:
			if err = found.apply(line, known); err != nil {
				err = fmt.Errorf("%w: %w", ErrJournalDamaged, err)
			}
		}
		if err != nil {
			found.badLine = n
			return found, err
		}
		found.resumed = true
		found.validBytes += int64(len(line))
	}
}

// isCutShort reports whether text, a whole file, is what a crash leaves of a header that is being
// written: its beginning, and NULs in place of the rest.
func isCutShort(text, header []byte) bool {
	written := bytes.TrimRight(text, "\x00")
	return len(text) <= len(header) && bytes.HasPrefix(header, written)
}

// unwrittenTail reads the rest of a journal, which begins with line. It returns the length of the
// rest, and reports whether there is a valid line in it. Such a line may follow NULs directly,
// because the newline before it may be among what was never written.
func unwrittenTail(line []byte, rest *bufio.Reader) (length int, valid bool, err error) {
	var text []byte // since the last newline or NUL; at most a line and a byte
	take := func(b byte) {
		length++
		if b != 0 && len(text) <= maxJournalLine {
			text = append(text, b)
		}
		if b != 0 && b != '\n' {
			return
		}
		if b == '\n' && len(text) <= maxJournalLine {
			_, err := parseJournalLine(text)
			valid = valid || err == nil
		}
		text = text[:0]
	}
	for _, b := range bytes.Clone(line) { // reading on overwrites it
		take(b)
	}
	for !valid {
		b, err := rest.ReadByte()
		if errors.Is(err, io.EOF) {
			return length, false, nil
		}
		if err != nil {
			return length, false, err
		}
		take(b)
	}
	return length, true, nil
}

// explainMismatch returns the error of a journal whose first line is line and should be header.
func explainMismatch(header, line []byte) error {
	ours, err := parseJournalLine(header)
	if err != nil {
		return err // our own line parses
	}
	theirs, err := parseJournalLine(line)
	if err != nil {
		return fmt.Errorf("%w: it doesn't begin as a journal does: %w", ErrJournalForeign, err)
	}
	return mismatch(theirs, ours)
}

// apply adds a line that isn't the first to what is known.
func (f *journalScan) apply(line []byte, known map[endpoint.Key]deviceState) error {
	r, err := parseJournalLine(line)
	if err != nil {
		return err
	}
	var to deviceState
	switch r.Event {
	case eventBegun:
		to = stateStarted
	case eventFailed:
		to = stateFailed
	case eventDone:
		to = stateDone
	case eventWave:
		if !isShare(r.Share) || r.Devices < 0 {
			return fmt.Errorf("share %v of %d devices: want 0 to 1, and 0 or more", r.Share, r.Devices)
		}
		f.passed.Share, f.passed.Devices = max(f.passed.Share, r.Share), max(f.passed.Devices, r.Devices)
		return nil
	default:
		return fmt.Errorf("event %q: want %s, %s, %s or %s", check.Truncate(r.Event), eventBegun, eventDone, eventFailed, eventWave)
	}
	key, err := hex.DecodeString(r.Device)
	if err != nil || len(key) != len(endpoint.Key{}) {
		return fmt.Errorf("device %q: want %d hex digits", check.Truncate(r.Device), 2*len(endpoint.Key{}))
	}
	work := endpoint.Key(key)
	if r.Update != "" {
		work = workKey(work, r.Update)
	}
	old := known[work]
	if old == stateDone {
		return nil // what is done stays done
	}
	delete(f.pauses, work)
	if r.NotBefore != "" {
		at, err := time.Parse(time.RFC3339, r.NotBefore)
		if err != nil {
			return fmt.Errorf("not_before %q: want a time as in RFC 3339", check.Truncate(r.NotBefore))
		}
		if f.pauses == nil {
			f.pauses = map[endpoint.Key]time.Time{}
		}
		f.pauses[work] = at
	}
	if old != 0 {
		f.counts[old]--
	}
	if to == stateStarted && (old == stateStarted || old == stateStartedTwice) {
		to = stateStartedTwice
	}
	f.counts[to]++
	known[work] = to
	return nil
}
