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

// journalFound is what was in a journal.
type journalFound struct {
	begun   bool                       // it has its first line: an earlier run may have begun devices
	whole   int64                      // bytes of whole lines
	torn    int                        // bytes after them
	badLine int                        // where reading failed, from 1
	passed  Wave                       // the farthest wave that was passed, in both measures
	counts  [markSeen]int              // devices by mark
	pauses  map[endpoint.Key]time.Time // when devices that failed are to have their turn, where that is known
}

func (f journalFound) state() JournalState {
	return JournalState{Done: f.counts[markDone], Failed: f.counts[markFailed], UnderWay: f.counts[markBegun] + f.counts[markStuck], TornBytes: f.torn}
}

// readJournal reads a journal of the update whose first line would be header. It leaves
// out what a crash leaves at the end: a last line without its end, or, after a power
// failure on many file systems, blocks of NULs that were allocated and never written.
// Memory is bounded by a line, and what marks takes.
func readJournal(r io.Reader, header []byte, marks map[endpoint.Key]mark) (found journalFound, err error) {
	lines := bufio.NewReaderSize(r, maxJournalLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && n == 1:
			// A first line cut short is a journal that was only just begun, if it is ours.
			if !isCutShort(line, header) {
				found.badLine = n
				return found, foreignTo(header, line)
			}
			found.torn = len(line)
			return found, nil
		case errors.Is(err, io.EOF) && bytes.IndexByte(line, 0) < 0:
			found.torn = len(line)
			return found, nil
		case n > 1 && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)) && bytes.IndexByte(line, 0) >= 0:
			// No line that was written holds a NUL. Is it the journal's end?
			torn, valid, err := unwrittenTail(line, lines)
			if err == nil && !valid {
				found.torn = torn
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

// isCutShort reports whether text, a whole file, is what a crash leaves of header while
// that is being written: its beginning, and NULs in place of the rest.
func isCutShort(text, header []byte) bool {
	written := bytes.TrimRight(text, "\x00")
	return len(text) <= len(header) && bytes.HasPrefix(header, written)
}

// unwrittenTail reads the rest of a journal, which begins with line. It returns how many
// bytes that is, and reports whether there is a valid line in it. A line may follow NULs
// immediately, because the newline before it may be among what was never written.
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
func (f *journalFound) take(line []byte, marks map[endpoint.Key]mark) error {
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
	old := marks[work]
	if old == markDone {
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
	if to == markBegun && (old == markBegun || old == markStuck) {
		to = markStuck
	}
	f.counts[to]++
	marks[work] = to
	return nil
}
