package profiles

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns a name as it may be shown on a terminal: quoted, as Go quotes strings, where it holds
// characters that would steer it, that can't be seen, or that aren't UTF-8.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}

// addSaturated returns the sum of a and b, or the nearest number of 64 bits to it, and whether it had to.
func addSaturated(a, b int64) (sum int64, saturated bool) {
	sum = a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64, true
	case a < 0 && b < 0 && (sum >= 0 || sum == math.MinInt64):
		return -math.MaxInt64, true
	}
	return sum, false
}

func abs(n int64) int64 {
	switch {
	case n == math.MinInt64:
		return math.MaxInt64
	case n < 0:
		return -n
	}
	return n
}
