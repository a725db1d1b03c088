package mockfleet

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
	"strconv"
)

// The ledger of a million devices is read after every repetition. So its lines are written and read
// by hand, as encoding/json would; tests hold each to it. A field that Entry gains is a line in
// counts, or one in appendLine and one in entryLine.member; a test fails where either is missing.

// appendLine appends the entry as a line of the ledger: a JSON object (RFC 8259) and a line feed.
func (e *Entry) appendLine(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strconv.AppendInt(append(dst, `"device":`...), int64(e.Device), 10)
	dst = appendText(dst, `,"id":`, e.ID)
	if e.Group != "" {
		dst = appendText(dst, `,"group":`, e.Group)
	}
	for _, c := range e.counts() {
		dst = append(append(append(dst, `,"`...), c.name...), `":`...)
		dst = strconv.AppendUint(dst, uint64(*c.count), 10)
	}
	dst = appendCounts(dst, `,"faults":`, e.Faults)
	dst = appendCount(dst, `,"bytes_received":`, e.BytesReceived)
	dst = appendText(dst, `,"version":`, e.Version)
	dst = appendText(dst, `,"digest":`, e.Digest)
	dst = appendText(dst, `,"state":`, string(e.State))
	dst = appendText(dst, `,"stage":`, string(e.Stage))
	dst = appendText(dst, `,"updated_at":`, e.UpdatedAt)
	return append(dst, '}', '\n')
}

func appendCount[N uint32 | uint64](dst []byte, name string, v N) []byte {
	return strconv.AppendUint(append(dst, name...), uint64(v), 10)
}

// appendCounts leaves out what is empty, names in their order.
func appendCounts(dst []byte, name string, counts map[string]uint32) []byte {
	if len(counts) == 0 {
		return dst
	}
	dst = append(dst, name...)
	open := byte('{')
	for _, of := range slices.Sorted(maps.Keys(counts)) {
		dst = appendText(append(dst, open), "", of)
		dst = appendCount(dst, ":", counts[of])
		open = ','
	}
	return append(dst, '}')
}

func appendText(dst []byte, name, s string) []byte {
	dst = append(dst, name...)
	if !isPlain(s) {
		quoted, err := json.Marshal(s)
		if err != nil { // a string always has a JSON form
			quoted = []byte(`""`)
		}
		return append(dst, quoted...)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// isPlain reports whether s is its own JSON form: printable ASCII that encoding/json doesn't escape.
func isPlain[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// maxLedgerLine bounds a line of the ledger. One of ours has 4 KiB at most: that is when every kind of
// fault struck, and every character of the version is escaped.
const maxLedgerLine = 64 << 10

// ledgerReader reads the lines that appendLine writes, one entry a line.
type ledgerReader struct {
	lines *bufio.Reader
	last  Entry // the last one read by hand, whose texts are used again: most devices run the same
}

func newLedgerReader(r io.Reader) *ledgerReader {
	return &ledgerReader{lines: bufio.NewReaderSize(r, maxLedgerLine)}
}

// next reads one entry; io.EOF is the end after a whole line. What is behind the last line feed counts
// as a line.
func (r *ledgerReader) next() (Entry, error) {
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
func (r *ledgerReader) entry(line []byte) (Entry, error) {
	var e Entry
	if r.fast(line, &e) {
		r.last = e
		return e, nil
	}
	var slow Entry // apart: what encoding/json gets a pointer to is allocated
	err := json.Unmarshal(line, &slow)
	return slow, err
}

func (r *ledgerReader) fast(line []byte, e *Entry) bool {
	l := entryLine{rest: line, table: e.counts()}
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

// entryLine is what is left of a line.
type entryLine struct {
	rest  []byte
	table [13]counter // the counts of its entry
	next  int         // the one of them that our own lines have next
}

// member reads the value of the member called name into e. A text that last has is taken from there.
func (l *entryLine) member(name []byte, e, last *Entry) bool {
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
		if c.name == string(name) {
			return l.count(c.count)
		}
	}
	return false // encoding/json would find it in another case
}

func (l *entryLine) take(c byte) bool {
	if len(l.rest) == 0 || l.rest[0] != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

// quoted takes a string that is its own JSON form.
func (l *entryLine) quoted() ([]byte, bool) {
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
func (l *entryLine) text(to *string, last string) bool {
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
func (l *entryLine) number(most uint64) (n uint64, ok bool) {
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

func (l *entryLine) count(to *uint32) bool {
	n, ok := l.number(math.MaxUint32)
	*to = uint32(n)
	return ok
}

func (l *entryLine) counts(to *map[string]uint32) bool {
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
