package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// clip shortens s to at most n runes, with an ellipsis where something went.
func clip(s string, n int) string {
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

// prose is s as Markdown for a comment: besides what [page.Escape] does, nothing in it
// becomes a link or calls somebody by name.
func prose(s string) string {
	s = page.Escape(s)
	s = strings.ReplaceAll(s, "://", `\://`)
	for _, www := range []string{"www.", "WWW.", "Www."} {
		s = strings.ReplaceAll(s, www, www[:3]+`\.`)
	}
	return strings.ReplaceAll(s, "@", "@\u2060") // a word joiner: no name begins with it
}

// quote makes one word of a path for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// resident is a dash where nobody could look, as in a fleet of real devices.
func resident(bytes uint64) string {
	if bytes == 0 {
		return "–"
	}
	return results.FormatValue(float64(bytes), "peak-rss-B")
}

func percent(fraction float64) string { return strconv.FormatFloat(100*fraction, 'f', 1, 64) + "%" }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func orNone(s string) string {
	if s == "" {
		return "(no digest)"
	}
	return s
}

// formatRatio is "×1.080 (1.051 to 1.110)".
func formatRatio(r *results.PairedRatio) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("×%.3f (%.3f to %.3f)", r.Estimate, r.Low, r.High)
}
