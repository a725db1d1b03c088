package scenarios

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// TestParse_notUTF8 checks that a file in another encoding is rejected, with the position of the
// first byte that isn't UTF-8. UTF-16 is read.
func TestParse_notUTF8(t *testing.T) {
	for text, at := range map[string][2]int{
		"name: a\ndescription: sch\xf6n\n":            {2, 17}, // Latin-1
		"name: a\r\n# \xe9\n":                         {2, 3},  // in a comment, too
		"name: a\ndescription: ä\xe4\n":               {2, 15}, // columns are characters
		"name: a\ndescription: \"\xed\xa0\x80\"\n":    {2, 15}, // half of a surrogate pair
		"\ufeffname: a\nfleet: {devices: 3} # \x80\n": {2, 23},
	} {
		_, err := Parse("a.yaml", []byte(text))
		mistakes := Problems("a.yaml", err)
		require.Len(t, mistakes, 1, "%q", text)
		require.Equal(t, at, [2]int{mistakes[0].Line, mistakes[0].Column}, "%q", text)
		require.ErrorContains(t, mistakes[0], "is not UTF-8: want the file in UTF-8")
	}
	wide := []byte{0xff, 0xfe} // the byte order mark of UTF-16
	for _, unit := range utf16.Encode([]rune("name: a\ndescription: schön\n")) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	read, err := Parse("a.yaml", wide)
	require.NoError(t, err)
	require.Equal(t, "schön", read.Description)
	s := Default()
	require.ErrorContains(t, s.Set("description=sch\xf6n"), "want a value")
	_, err = Parse("a.yaml", []byte("name: a\ndescription: schön \ufffd\n"))
	require.NoError(t, err, "a replacement character in the file is valid text")
}

// TestYAML_controlCharacters checks that no text of a scenario is a control sequence on a terminal,
// and that each is read back as it was.
func TestYAML_controlCharacters(t *testing.T) {
	for _, text := range []string{
		"red \x1b[31m", "bell \a", "del \x7f", "C1 \u009b31m", "right to left \u202e", "isolate \u2066",
		"zero width \u200b", "tag \U000e0041",
		"carriage\rreturn", "a\ttab", "quote \" and \\ and \x1b", "two\nlines \x1b", "line separator \u2028",
		"next line \u0085",
	} {
		s := Default()
		s.Name, s.Description = "a", text
		s.Artifact.Version = strings.ReplaceAll(text, "\n", "")
		shown, err := s.YAML()
		require.NoError(t, err)
		for _, r := range string(shown) {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%q is shown of %q", r, text)
		}
		var back Spec
		src, err := newSource("a.yaml", shown)
		require.NoError(t, err, "%s", shown)
		back, _ = src.spec() // spec rejects a version with control characters, but returns it
		if back.Name == "" {
			s.Artifact.Version = ""
			shown, err = s.YAML()
			require.NoError(t, err)
			back, err = Parse("a.yaml", shown)
			require.NoError(t, err)
		}
		require.Equal(t, text, back.Description)
	}
}
