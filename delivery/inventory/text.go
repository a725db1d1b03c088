package inventory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// spaces says which white space a text may have inside.
type spaces bool

const (
	plainSpaces spaces = false // U+0020 alone: the text is compared with others
	anySpaces   spaces = true  // such as the no-break space: the text is for people
)

// checkText returns an error if a text can't be told from another on a screen, or can't stand in a
// header.
func checkText(s string, most int, spaces spaces) error {
	if len(s) > most {
		return fmt.Errorf("%q: %d bytes, want at most %d", check.Truncate(s), len(s), most)
	}
	if isPlainASCII(s) {
		return nil
	}
	// U+FFFD stands for a character that a program couldn't decode: two different texts may look
	// the same.
	if !check.IsPrintable(s) || strings.ContainsRune(s, utf8.RuneError) || s != strings.TrimSpace(s) {
		return fmt.Errorf("%q: want neither control characters nor U+FFFD, and no space around it", check.Truncate(s))
	}
	for _, r := range s {
		if isInvisible(r) {
			return fmt.Errorf("%q: U+%04X can't be seen, or turns the text around: leave it out", check.Truncate(s), r)
		}
		if spaces == plainSpaces && r != ' ' && unicode.IsSpace(r) {
			return fmt.Errorf("%q: U+%04X looks like a space: want a plain one", check.Truncate(s), r)
		}
	}
	return nil
}

// isPlainASCII reports whether a text is printable ASCII without space around it.
func isPlainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// isInvisible reports whether a character shows nothing or changes the direction of those
// around it (UAX #9, UAX #44): texts that look the same could differ by it.
func isInvisible(r rune) bool {
	if unicode.Is(unicode.Cf, r) {
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r) // these are visible
	}
	return unicode.In(r, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r == '\u2800' // a Braille pattern without dots
}

// fieldNames are the fields of a device, as files name them.
func fieldNames() []string { return []string{"id", "address", "location", "version", "labels"} }

// knownField returns the field that a name differs from only in case, or in characters
// that can't be seen, or "" if there is none.
func knownField(name string) string {
	plain := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || isInvisible(r) {
			return -1
		}
		return r
	}, name))
	for _, known := range fieldNames() {
		if plain == known && name != known {
			return known
		}
	}
	if strings.HasPrefix(plain, labelColumn) && !strings.HasPrefix(name, labelColumn) {
		return labelColumn
	}
	return ""
}

// misspelled returns an error that says what a name should be. SkipInvalid doesn't skip it, because
// the devices would silently lack what the field holds.
func misspelled(name, want string) error {
	if want == labelColumn {
		want += "NAME"
	}
	return fmt.Errorf("%q: want %s, in lower case and without space", check.Truncate(name), want)
}

var errUTF32 = errors.New("text is UTF-32: want UTF-8 (iconv -f UTF-32 -t UTF-8 converts it)")

// decodeText returns a reader of the text of br in UTF-8, without a byte order mark. It decodes
// UTF-16, which spreadsheets and PowerShell write: with a mark, or without one where the first
// character is ASCII and so has a zero beside it. Text in any other encoding is read as it is.
func decodeText(br *bufio.Reader) (*bufio.Reader, error) {
	head, _ := br.Peek(4) // of a shorter text, what there is
	mark := ""
	var order binary.ByteOrder
	switch {
	case len(head) == 4 && (string(head) == "\xff\xfe\x00\x00" || string(head) == "\x00\x00\xfe\xff"):
		return nil, errUTF32
	case len(head) >= 3 && string(head[:3]) == "\xef\xbb\xbf":
		mark = "\xef\xbb\xbf"
	case len(head) < 2:
	case head[0] == 0xff && head[1] == 0xfe:
		mark, order = "\xff\xfe", binary.LittleEndian
	case head[0] == 0xfe && head[1] == 0xff:
		mark, order = "\xfe\xff", binary.BigEndian
	case head[0] != 0 && head[1] == 0:
		order = binary.LittleEndian
	case head[0] == 0 && head[1] != 0:
		order = binary.BigEndian
	}
	_, _ = br.Discard(len(mark)) // it was peeked at
	if order == nil {
		return br, nil
	}
	return bufio.NewReaderSize(&utf16Reader{from: br, order: order}, br.Size()), nil
}

// utf16Reader reads UTF-16 as UTF-8. What is no character becomes U+FFFD, which the checks of
// the fields refuse.
type utf16Reader struct {
	from  *bufio.Reader
	order binary.ByteOrder
	rest  []byte // of a character that did not fit into the last Read
	buf   [utf8.UTFMax]byte
}

// Read reads as many characters as fit.
func (r *utf16Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) > 0 {
			k := copy(p[n:], r.rest)
			n, r.rest = n+k, r.rest[k:]
			continue
		}
		c, err := r.readRune()
		if err != nil {
			if n > 0 && errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		r.rest = utf8.AppendRune(r.buf[:0], c)
	}
	return n, nil
}

// readRune reads one character.
func (r *utf16Reader) readRune() (rune, error) {
	first, err := r.readUnit()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	second, err := r.from.Peek(2)
	if err != nil {
		return utf8.RuneError, nil //nolint:nilerr // the next read meets it
	}
	c := utf16.DecodeRune(first, rune(r.order.Uint16(second)))
	if c != utf8.RuneError {
		_, _ = r.from.Discard(2) // they were peeked at
	}
	return c, nil
}

// readUnit reads two bytes. A byte alone at the end is no character.
func (r *utf16Reader) readUnit() (rune, error) {
	var unit [2]byte
	_, err := io.ReadFull(r.from, unit[:])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return utf8.RuneError, nil
	}
	return rune(r.order.Uint16(unit[:])), err
}
