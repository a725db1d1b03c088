// Package plaintext reads the text files of users, and makes text safe and short enough to show.
//
// Editors on Windows begin a file with a byte order mark, and PowerShell's redirection writes
// UTF-16. [Reader] and [Decode] accept either and return UTF-8 without a mark. Every text file that
// a user names is read through one of the two. Files whose lengths the program itself recorded
// aren't.
//
// Text from elsewhere, such as a device's answer, may hold control characters that move a
// terminal's cursor. [Printable] and [Line] replace them.
package plaintext

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Reader returns a reader of the text of r in UTF-8, without a byte order mark. It decodes UTF-16,
// which it recognizes by its byte order mark or by a zero among the first two bytes; invalid
// characters of UTF-16 become U+FFFD. It returns all other text as it is, valid or not.
func Reader(r io.Reader) io.Reader {
	return &reader{from: bufio.NewReader(r)}
}

// A reader chooses its decoder at the first Read, so that [Reader] doesn't wait for input.
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

// decoder returns the decoder to UTF-8 for text that begins with head.
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
	if err != nil { // can't happen: neither reading memory nor the decoders fail
		return text
	}
	return decoded
}
