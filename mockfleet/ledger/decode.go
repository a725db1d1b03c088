package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/fleetmark/fleetmark/internal/jsonscan"
)

// maxLedgerLine bounds the length of a line, in bytes. A line that AppendLine writes has at most 4
// KiB: if every kind of fault acted and every character of the version is escaped.
const maxLedgerLine = 64 << 10

// Reader reads the lines that AppendLine writes, one entry a line.
type Reader struct {
	lines *bufio.Reader
	last  Entry // the last one that fast read; its texts are shared, since most devices run the same update
}

// NewReader returns a Reader of the lines in r.
func NewReader(r io.Reader) *Reader {
	return &Reader{lines: bufio.NewReaderSize(r, maxLedgerLine)}
}

// Next reads one entry. It returns io.EOF after the last line, which need not end with a line feed.
func (r *Reader) Next() (Entry, error) {
	for {
		line, err := r.lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return Entry{}, fmt.Errorf("a line has over %d bytes: want a JSON object a line", maxLedgerLine)
		case err != nil && !errors.Is(err, io.EOF):
			return Entry{}, err // the line wasn't read whole
		}
		if line = bytes.Trim(line, " \t\r\n"); len(line) > 0 {
			return r.entry(line)
		}
		if err != nil {
			return Entry{}, err
		}
	}
}

// entry reads a line. fast reads most lines, as encoding/json would. Lines with anything unusual
// (an escape, null, an unknown name) go to encoding/json itself. A fuzz test checks that the two
// agree.
//
// entry fails if a count has the name of the release before, which would be read as 0 like any
// unknown name.
func (r *Reader) entry(line []byte) (Entry, error) {
	var e Entry
	if r.fast(line, &e) {
		r.last = e
		return e, nil
	}
	var slow Entry // not e: a variable whose address encoding/json gets is allocated
	if err := json.Unmarshal(line, &slow); err != nil {
		return slow, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return slow, err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if now := currentName(name); now != name {
			return Entry{}, fmt.Errorf("the count %q is called %q now: the fleet is of an earlier release; "+
				"start it with the same release as its driver", name, now)
		}
	}
	return slow, nil
}

func (r *Reader) fast(line []byte, e *Entry) bool {
	s, m := jsonscan.New(line), members{into: e, last: &r.last, counts: e.All()}
	return s.Object(func(name []byte) bool { return m.read(&s, name) }) && s.End()
}

// members reads the members of a line into an entry. A text that equals that of last is shared with
// it.
type members struct {
	into, last *Entry
	counts     [13]Counter[uint32] // of into
	next       int                 // index of the count that comes next in lines of AppendLine
}

// read reads the value of the member called name. It returns false if the line must go to
// encoding/json.
func (m *members) read(s *jsonscan.Scanner, name []byte) bool {
	e, last := m.into, m.last
	switch string(name) {
	case "device":
		n, ok := number(s, math.MaxInt32)
		e.Device = int(n)
		return ok
	case "id":
		return text(s, &e.ID, last.ID)
	case "group":
		return text(s, &e.Group, last.Group)
	case "faults":
		return e.Faults == nil && faults(s, &e.Faults) // encoding/json merges a second object into the first
	case "bytes_received":
		n, ok := number(s, math.MaxInt64)
		e.BytesReceived = uint64(n)
		return ok
	case "version":
		return text(s, &e.Version, last.Version)
	case "digest":
		return text(s, &e.Digest, last.Digest)
	case "state":
		return text(s, (*string)(&e.State), string(last.State))
	case "stage":
		return text(s, (*string)(&e.Stage), string(last.Stage))
	case "contacted_ns":
		n, ok := number(s, math.MaxInt64)
		e.ContactedNS = n
		return ok
	case "updated_ns":
		n, ok := number(s, math.MaxInt64)
		e.UpdatedNS = n
		return ok
	case "updated_at":
		return text(s, &e.UpdatedAt, last.UpdatedAt)
	}
	for range m.counts {
		c := m.counts[m.next]
		m.next = (m.next + 1) % len(m.counts)
		if c.Name == string(name) {
			return count(s, c.Count)
		}
	}
	return false // encoding/json ignores the case of names
}

// text reads a string into to. If it equals last, to shares the memory of last, so that nothing is
// allocated.
func text(s *jsonscan.Scanner, to *string, last string) bool {
	if s.Equal(last) {
		*to = last
		return true
	}
	b, ok := s.String()
	if ok {
		*to = string(b)
	}
	return ok
}

// number reads a whole number up to most.
func number(s *jsonscan.Scanner, most int64) (int64, bool) {
	n, ok := s.Number()
	return n, ok && n <= most
}

func count(s *jsonscan.Scanner, to *uint32) bool {
	n, ok := number(s, math.MaxUint32)
	*to = uint32(n)
	return ok
}

func faults(s *jsonscan.Scanner, to *map[string]uint32) bool {
	*to = map[string]uint32{}
	return s.Object(func(name []byte) bool {
		var n uint32
		ok := count(s, &n)
		(*to)[string(name)] = n
		return ok
	})
}
