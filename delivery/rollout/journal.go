package rollout

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// # The journal's format
//
// JSON lines, so that grep, jq and a person can read what became of a device. Each line begins with
// a CRC-32 of what follows it, because half a line can look whole, and a wrong "done" would leave a
// device out:
//
//	{"crc":"a9d8ac04","event":"rollout","format":1,"version":"2.1.0","sha256":"…","update":"…"}
//	{"crc":"e28a3e0e","event":"begun","device":"<32 hex digits>","name":"till-17"}
//	{"crc":"0e9a4ff6","event":"done","device":"<32 hex digits>","name":"till-17"}
//	{"crc":"6d0b4e1f","event":"failed","device":"<32 hex digits>","name":"till-18","class":"timeout"}
//	{"crc":"5a3ef0ab","event":"wave","share":0.01}
//
// A device that failed and has another turn later has a "not_before" beside its class.
//
// The field device is the fingerprint. A device's line has update if the device had another update
// than the rollout's own (Options.UpdateFor). The name is for people; a long one is cut. Lines are
// only ever added. The first line is on the disk before any device is started, and that is all that
// safety rests on: a run that finds it asks devices before it pushes. So "begun" need not be on the
// disk before the push, and no push waits for a disk.

// JournalState is what earlier runs left in a journal.
type JournalState struct {
	Done      int // devices that are finished
	Failed    int // devices that failed when last tried
	UnderWay  int // devices that were started; how that ended isn't known
	TornBytes int // bytes of a last line that a crash cut off; they were dropped
}

// JournalError says why a journal can't be used, or could no longer be written. It ends the
// rollout.
type JournalError struct {
	Path string
	Line int   // from 1; 0 if the error isn't about one line
	Err  error // ErrJournalInUse, ErrJournalForeign, ErrJournalDamaged or an error of the system
}

// Error returns a text that names the file, and the line if there is one.
func (e *JournalError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("rollout journal %s:%d: %v", e.Path, e.Line, e.Err)
	}
	return fmt.Sprintf("rollout journal %s: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *JournalError) Unwrap() error { return e.Err }

// What can be wrong with a journal. They are wrapped in a *JournalError.
var (
	// ErrJournalInUse means that another rollout, of this process or another, is writing the
	// journal. The lock is the system's own. It ends with its process, however that ends.
	ErrJournalInUse = errors.New("another rollout is using it: wait for that one, or stop it")
	// ErrJournalForeign means that the file belongs to another update, has another format, or is no
	// journal at all. It was not changed.
	ErrJournalForeign = errors.New("not the journal of this update")
	// ErrJournalDamaged means that a line can't be right, and isn't the last.
	ErrJournalDamaged = errors.New("damaged: cut the file before this line to go on (devices that " +
		"it then lacks are asked before they are pushed to)")
)

const (
	journalFormat  = 1
	maxJournalName = 200     // bytes of a device's name, as it is told
	maxJournalLine = 4 << 10 // bytes; what is written is shorter
)

// The events.
const (
	eventRollout = "rollout"
	eventBegun   = "begun"
	eventDone    = "done"
	eventFailed  = "failed"
	eventWave    = "wave"
)

// A journalRecord is a line.
type journalRecord struct {
	Event  string `json:"event"`
	Device string `json:"device,omitempty"`
	Name   string `json:"name,omitempty"`
	Class  string `json:"class,omitempty"`

	NotBefore string `json:"not_before,omitempty"` // of a device that failed: when it has another turn, as RFC 3339

	Share   float64 `json:"share,omitempty"`   // of a wave; or
	Devices int     `json:"devices,omitempty"` // of a wave: its number of devices

	Format  int    `json:"format,omitempty"`
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	// Update is an Idempotency-Key, which stands for version and content: in the first line that of
	// the rollout's own update, in a device's line that of the device's if it is another.
	Update string `json:"update,omitempty"`
}

// record returns the line for an event of the turn's device.
func (t turn) record(event string) journalRecord {
	name := t.device.Name()
	return journalRecord{Event: event, Device: hex.EncodeToString(t.key[:]), Name: name[:min(len(name), maxJournalName)], Update: t.ownKey}
}

// headerOf returns the first line of an update's journal. The update may be nil.
func headerOf(u *delivery.Update) journalRecord {
	if u == nil {
		return journalRecord{Event: eventRollout, Format: journalFormat, Update: updateByDevice}
	}
	return journalRecord{Event: eventRollout, Format: journalFormat, Version: u.Version(), SHA256: u.Artifact().DigestHex(), Update: u.IdempotencyKey()}
}

// journalTime returns a time as the journal has it.
func journalTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// encode returns the record as it is written, with its newline.
func (r journalRecord) encode() ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return withChecksum(append(text[1:], '\n')), nil
}

// withChecksum returns a line, given what follows its checksum.
func withChecksum(rest []byte) []byte {
	return append(fmt.Appendf(nil, `{"crc":"%08x",`, crc32.ChecksumIEEE(rest)), rest...)
}

// parseJournalLine parses a line, with its newline.
func parseJournalLine(line []byte) (journalRecord, error) {
	const head = len(`{"crc":"00000000",`)
	var r journalRecord
	if len(line) <= head {
		return r, errors.New("too short")
	}
	rest := line[head:]
	if want := fmt.Sprintf(`{"crc":"%08x",`, crc32.ChecksumIEEE(rest)); string(line[:head]) != want {
		return r, errors.New("its checksum is wrong")
	}
	// The checksum shows that this is what was written, but not that a rollout wrote it.
	err := json.Unmarshal(append([]byte("{"), rest...), &r)
	return r, err
}

// openJournal locks the journal, reads it into known, and prepares it for writing. It begins a file
// that is missing or empty, and has the first line on the disk before it returns. It calls failed
// once, from another goroutine, if the journal can no longer be written.
func openJournal(opts Journal, u *delivery.Update, known map[endpoint.Key]deviceState, failed func(error)) (_ *journalWriter, found journalScan, err error) {
	fail := func(err error) error {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // the path is named once
		}
		return &JournalError{Path: opts.Path, Line: found.badLine, Err: err}
	}
	f, err := openLocked(opts.Path)
	if err != nil {
		return nil, found, fail(err)
	}
	found, err = prepareJournal(f, u, known)
	if err != nil {
		return nil, found, errors.Join(fail(err), f.Close())
	}
	return newJournal(f, opts, func(err error) error { return &JournalError{Path: opts.Path, Err: err} }, failed), found, nil
}

// prepareJournal reads f, and leaves its offset where the next line goes.
func prepareJournal(f *os.File, u *delivery.Update, known map[endpoint.Key]deviceState) (journalScan, error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return journalScan{}, errors.Join(err, errors.New("want a regular file"))
	}
	header, err := headerOf(u).encode()
	if err != nil {
		return journalScan{}, err
	}
	found, err := readJournal(f, header, known)
	if err != nil {
		return found, err
	}
	if found.truncated > 0 {
		if err := f.Truncate(found.validBytes); err != nil {
			return found, err
		}
	}
	if _, err := f.Seek(found.validBytes, io.SeekStart); err != nil {
		return found, err
	}
	if found.resumed {
		return found, nil
	}
	if _, err := f.Write(header); err != nil {
		return found, err
	}
	return found, errors.Join(f.Sync(), syncDir(filepath.Dir(f.Name())))
}

// mismatch returns the error of a journal whose first line is theirs and should be ours.
func mismatch(theirs, ours journalRecord) error {
	switch {
	case theirs.Event != eventRollout:
		return fmt.Errorf("%w: it doesn't begin as a journal does", ErrJournalForeign)
	case theirs.Format != ours.Format:
		return fmt.Errorf("%w: it is of format %d, want %d", ErrJournalForeign, theirs.Format, ours.Format)
	default:
		return fmt.Errorf("%w: it belongs to version %q (SHA-256 %s), this is %q (%s): give each update a journal of its own",
			ErrJournalForeign, check.Truncate(theirs.Version), check.Truncate(theirs.SHA256), check.Truncate(ours.Version), ours.SHA256)
	}
}
