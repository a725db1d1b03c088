package plaintext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// Percent returns a fraction in percent, with one decimal: "12.5%".
func Percent(fraction float64) string { return strconv.FormatFloat(100*fraction, 'f', 1, 64) + "%" }
