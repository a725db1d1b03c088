package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxLedgerLine bounds a line of the ledger. One of ours has 4 KiB at most: that is when every kind of
// fault acted, and every character of the version is escaped.
const maxLedgerLine = 64 << 10

// Reader reads the lines that AppendLine writes, one entry a line.
type Reader struct {
	lines *bufio.Reader
	last  Entry // the last one read by hand, whose texts are used again: most devices run the same
}

// NewReader returns a Reader of the lines in r.
func NewReader(r io.Reader) *Reader {
	return &Reader{lines: bufio.NewReaderSize(r, maxLedgerLine)}
}

// Next reads one entry; io.EOF is the end after a whole line. What is behind the last line feed counts
// as a line.
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

// entry reads a line. What it takes by hand it takes as encoding/json would; whatever is unusual (an
// escape, null, a name that it doesn't know) goes there. A fuzz test holds the two together.
func (r *Reader) entry(line []byte) (Entry, error) {
	var e Entry
	if r.fast(line, &e) {
		r.last = e
		return e, nil
	}
	var slow Entry // apart: what encoding/json gets a pointer to is allocated
	err := json.Unmarshal(line, &slow)
	return slow, err
}

func (r *Reader) fast(line []byte, e *Entry) bool {
	l := lineScanner{rest: line, table: e.All()}
	if !l.take('{') {
		return false
	}
	if l.take('}') {
		return len(l.rest) == 0
	}
	for {
		name, ok := l.quoted()
		if !ok || !l.take(':') || !l.member(name, e, &r.last) {
			return false
		}
		if l.take('}') {
			return len(l.rest) == 0
		}
		if !l.take(',') {
			return false
		}
	}
}

// lineScanner is what is left of a line.
type lineScanner struct {
	rest  []byte
	table [13]Counter[uint32] // the counts of its entry
	next  int                 // the one of them that our own lines have next
}

// member reads the value of the member called name into e. A text that last has is taken from there.
func (l *lineScanner) member(name []byte, e, last *Entry) bool {
	switch string(name) {
	case "device":
		n, ok := l.number(math.MaxInt32)
		e.Device = int(n)
		return ok
	case "id":
		return l.text(&e.ID, last.ID)
	case "group":
		return l.text(&e.Group, last.Group)
	case "faults":
		return e.Faults == nil && l.counts(&e.Faults) // encoding/json adds a second one to the first
	case "bytes_received":
		n, ok := l.number(math.MaxInt64)
		e.BytesReceived = n
		return ok
	case "version":
		return l.text(&e.Version, last.Version)
	case "digest":
		return l.text(&e.Digest, last.Digest)
	case "state":
		return l.text((*string)(&e.State), string(last.State))
	case "stage":
		return l.text((*string)(&e.Stage), string(last.Stage))
	case "updated_at":
		return l.text(&e.UpdatedAt, last.UpdatedAt)
	}
	for range l.table {
		c := l.table[l.next]
		l.next = (l.next + 1) % len(l.table)
		if c.Name == string(name) {
			return l.count(c.Count)
		}
	}
	return false // encoding/json would find it in another case
}

func (l *lineScanner) take(c byte) bool {
	if len(l.rest) == 0 || l.rest[0] != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

// quoted takes a string that is its own JSON form.
func (l *lineScanner) quoted() ([]byte, bool) {
	if !l.take('"') {
		return nil, false
	}
	end := bytes.IndexByte(l.rest, '"')
	if end < 0 || !isPlain(l.rest[:end]) {
		return nil, false
	}
	s := l.rest[:end]
	l.rest = l.rest[end+1:]
	return s, true
}

// text takes a string that is its own JSON form, as last is.
func (l *lineScanner) text(to *string, last string) bool {
	if n := len(last); len(l.rest) > n+1 && l.rest[0] == '"' && l.rest[n+1] == '"' && string(l.rest[1:n+1]) == last {
		*to, l.rest = last, l.rest[n+2:]
		return true
	}
	s, ok := l.quoted()
	if ok {
		*to = string(s)
	}
	return ok
}

// number takes a whole number without a sign or a leading zero.
func (l *lineScanner) number(most uint64) (n uint64, ok bool) {
	digits := 0
	for digits < len(l.rest) && l.rest[digits] >= '0' && l.rest[digits] <= '9' {
		if digits == 18 { // more may not fit
			return 0, false
		}
		n = n*10 + uint64(l.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && l.rest[0] == '0' || n > most {
		return 0, false
	}
	l.rest = l.rest[digits:] // whatever goes on with the number is no comma and no brace
	return n, true
}

func (l *lineScanner) count(to *uint32) bool {
	n, ok := l.number(math.MaxUint32)
	*to = uint32(n)
	return ok
}

func (l *lineScanner) counts(to *map[string]uint32) bool {
	if !l.take('{') {
		return false
	}
	*to = map[string]uint32{}
	if l.take('}') {
		return true
	}
	for {
		name, ok := l.quoted()
		if !ok || !l.take(':') {
			return false
		}
		var n uint32
		if !l.count(&n) {
			return false
		}
		(*to)[string(name)] = n
		if l.take('}') {
			return true
		}
		if !l.take(',') {
			return false
		}
	}
}
