package scenarios

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestSpecCommentedYAML(t *testing.T) {
	all := []Spec{}
	for _, name := range CatalogNames() {
		s, err := Find(name)
		require.NoError(t, err)
		all = append(all, s)
	}
	multiline := Default()
	multiline.Name, multiline.Description = "a", "two\n# lines \x1b"
	for _, s := range append(all, multiline) {
		text, err := s.CommentedYAML()
		require.NoError(t, err)
		back, err := Parse("a.yaml", text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, s, back)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "# ") {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 90, line)
			}
		}
	}
}

// TestSpecCommentedYAML_eachKeyOnce checks that every key has a comment, and that in a list only
// the first member's keys have one.
func TestSpecCommentedYAML_eachKeyOnce(t *testing.T) {
	rollout, err := Find("rollout")
	require.NoError(t, err)
	text, err := rollout.CommentedYAML()
	require.NoError(t, err)
	keys, key, before := 0, regexp.MustCompile(`^ *[a-z0-9_]+:`), ""
	for line := range strings.Lines(string(text)) {
		if key.MatchString(line) {
			keys++
			require.Regexp(t, "^ *# [^ ]", before, "above %s", line)
		}
		before = line
	}
	require.Greater(t, keys, 30)

	mixed, err := Find("mixed-fleet")
	require.NoError(t, err)
	text, err = mixed.CommentedYAML()
	require.NoError(t, err)
	require.Contains(t, string(text), `  groups:
  - # Its name, which no other group has: 1 to 32 lower-case letters, digits and dashes;
    # not all and not rest.
    name: slow
    # The group's share of all devices, above 0.
    share: 0.08
`)
	require.Contains(t, string(text), "  - name: broken\n    share: 0.02\n")
}
