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
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	utf "golang.org/x/text/encoding/unicode"
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
	order := utf.BigEndian
	switch {
	case len(head) >= 2 && head[0] != 0 && head[1] == 0:
		order = utf.LittleEndian
	case len(head) >= 2 && head[0] == 0 && head[1] != 0:
	default:
		return utf.BOMOverride(transform.Nop)
	}
	return utf.UTF16(order, utf.IgnoreBOM).NewDecoder()
}

// Decode returns text as a [Reader] returns it.
func Decode(text []byte) []byte {
	decoded, err := io.ReadAll(Reader(bytes.NewReader(text)))
	if err != nil { // can't happen: neither reading memory nor the decoders fail
		return text
	}
	return decoded
}

// Printable returns s with U+FFFD in place of every character that a terminal or a page would act
// on instead of showing it, such as the escape character. It keeps line breaks and tabs.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if isBreak(r) || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// Line returns s as [Printable] does, on one line: it replaces line breaks and tabs by a space.
func Line(s string) string { return strings.Join(strings.FieldsFunc(Printable(s), isBreak), " ") }

func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }

// Clip returns s if it has at most n characters. Otherwise it returns the first n-1 characters and
// an ellipsis.
func Clip(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	at := 0
	for range max(0, n-1) {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return s[:at] + "…"
}

// Count returns a number and its noun, in the plural unless the number is 1: "1 file", "652 files".
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Thousands returns n in decimal, with a comma between groups of three digits: "1,234,567".
func Thousands[N ~int | ~int64 | ~uint64](n N) string {
	digits := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// PerSecond returns a rate in operations per second: "1,600/s" or "66.88/s".
func PerSecond(rate float64) string {
	if rate >= 1000 {
		return Thousands(int64(math.Round(rate))) + "/s"
	}
	return strconv.FormatFloat(rate, 'g', 4, 64) + "/s"
}

// Percent returns a fraction in percent, with one decimal: "12.5%".
func Percent(fraction float64) string { return strconv.FormatFloat(100*fraction, 'f', 1, 64) + "%" }
