package ledger

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// The ledger of a million devices is read after every repetition, so its lines are written and read
// by hand, as encoding/json would; tests compare both with it. A new field of Entry needs a line in
// Counts.All, or one in AppendLine and one in members.read; a test fails if either is missing.

// AppendLine appends the entry as a line of the ledger: a JSON object (RFC 8259) and a line feed.
func (e *Entry) AppendLine(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strconv.AppendInt(append(dst, `"device":`...), int64(e.Device), 10)
	dst = appendText(dst, `,"id":`, e.ID)
	if e.Group != "" {
		dst = appendText(dst, `,"group":`, e.Group)
	}
	for _, c := range e.All() {
		dst = append(append(append(dst, `,"`...), c.Name...), `":`...)
		dst = strconv.AppendUint(dst, uint64(*c.Count), 10)
	}
	dst = appendCounts(dst, `,"faults":`, e.Faults)
	dst = appendCount(dst, `,"bytes_received":`, e.BytesReceived)
	dst = appendText(dst, `,"version":`, e.Version)
	dst = appendText(dst, `,"digest":`, e.Digest)
	dst = appendText(dst, `,"state":`, string(e.State))
	dst = appendText(dst, `,"stage":`, string(e.Stage))
	dst = appendText(dst, `,"updated_at":`, e.UpdatedAt)
	dst = strconv.AppendInt(append(dst, `,"contacted_ns":`...), e.ContactedNS, 10)
	dst = strconv.AppendInt(append(dst, `,"updated_ns":`...), e.UpdatedNS, 10)
	return append(dst, '}', '\n')
}

func appendCount[N uint32 | uint64](dst []byte, name string, v N) []byte {
	return strconv.AppendUint(append(dst, name...), uint64(v), 10)
}

// appendCounts appends a member with counts in order of name. It appends nothing if there are none.
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

// isPlain reports whether s is its own JSON form: printable ASCII that encoding/json doesn't
// escape.
func isPlain[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
