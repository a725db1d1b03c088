package delivery

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// spaces says which white space a text may have inside.
type spaces bool

const (
	plainSpaces spaces = false // U+0020 alone: the text is compared with others
	anySpaces   spaces = true  // such as the no-break space: the text is for people
)

// checkText refuses what can't be told apart on a screen, or in a header.
func checkText(s string, most int, spaces spaces) error {
	if len(s) > most {
		return fmt.Errorf("%q: %d bytes, want at most %d", clip(s), len(s), most)
	}
	if isPlainASCII(s) {
		return nil
	}
	// U+FFFD stands where a program gave up on a character: two of them may be one.
	if !isName(s) || strings.ContainsRune(s, utf8.RuneError) || s != strings.TrimSpace(s) {
		return fmt.Errorf("%q: want neither control characters nor U+FFFD, and no space around it", clip(s))
	}
	for _, r := range s {
		if isInvisible(r) {
			return fmt.Errorf("%q: U+%04X can't be seen, or turns the text around: leave it out", clip(s), r)
		}
		if spaces == plainSpaces && r != ' ' && unicode.IsSpace(r) {
			return fmt.Errorf("%q: U+%04X looks like a space: want a plain one", clip(s), r)
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
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r) // those are seen
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

// misspelled says what a name should be. It is an error however patient one is: what the
// field holds would be missing without a word.
func misspelled(name, want string) error {
	if want == labelColumn {
		want += "NAME"
	}
	return fmt.Errorf("%q: want %s, in lower case and without space", clip(name), want)
}
