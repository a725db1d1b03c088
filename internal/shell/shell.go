// Package shell writes commands as a POSIX shell reads them, for messages and pages that show how to
// run something again.
package shell

import "strings"

// special holds the characters that have a meaning to a shell somewhere in a word.
const special = " \t\n\"'\\$`*?[]{}()<>|&;#~!^"

// Quote returns a word that a shell reads as s.
func Quote(s string) string {
	if s != "" && !strings.ContainsAny(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Join returns a command line of these words, each quoted as needed.
func Join(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
