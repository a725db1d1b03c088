// Package plaintext reads the text files of users, and makes text safe and short enough to show.
//
// Editors on Windows begin a file with a byte order mark, and PowerShell's redirection writes UTF-16.
// [Reader] and [Decode] accept either and return UTF-8 without a mark. Every text file that a user names
// goes through one of the two. Files that the program itself wrote, and whose lengths it keeps, don't.
//
// Text that comes from elsewhere, such as a device's answer, may hold what moves a terminal's cursor.
// [Printable] and [Line] replace that.
package plaintext

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Reader returns a reader of the text of r in UTF-8, without a byte order mark. It decodes text that begins
// with the mark of UTF-16, or in which one of the first two bytes is zero as in UTF-16; what isn't a valid
// character there becomes U+FFFD. It returns all other text as it is, valid or not.
func Reader(r io.Reader) io.Reader {
	return &reader{from: bufio.NewReader(r)}
}

// reader decides at the first Read, so that making it doesn't wait for input.
type reader struct {
	from    *bufio.Reader
	decoded io.Reader // nil until the first Read
}

// Read reads decoded text.
func (r *reader) Read(p []byte) (int, error) {
	if r.decoded == nil {
		head, err := r.from.Peek(3)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		r.decoded = transform.NewReader(r.from, decoder(head))
	}
	return r.decoded.Read(p)
}

// decoder returns the transformation to UTF-8 of text that begins with head.
func decoder(head []byte) transform.Transformer {
	order := unicode.BigEndian
	switch {
	case len(head) >= 2 && head[0] != 0 && head[1] == 0:
		order = unicode.LittleEndian
	case len(head) >= 2 && head[0] == 0 && head[1] != 0:
	default:
		return unicode.BOMOverride(transform.Nop)
	}
	return unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder()
}

// Decode returns text as a [Reader] returns it.
func Decode(text []byte) []byte {
	decoded, err := io.ReadAll(Reader(bytes.NewReader(text)))
	if err != nil { // can't happen: reading memory doesn't fail, and the decoders replace what they can't read
		return text
	}
	return decoded
}
