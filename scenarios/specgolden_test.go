package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// updateGolden names the environment variable that makes the tests of this file rewrite their
// golden files.
const updateGolden = "FLEETMARK_UPDATE_GOLDEN"

// requireGolden compares text with a file of testdata.
func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv(updateGolden) != "" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

// TestSpecAsJSON keeps the encoding of a scenario stable, including the order of its fields,
// because workload digests are made from it and run.json contains it.
func TestSpecAsJSON(t *testing.T) {
	var all strings.Builder
	for _, name := range CatalogNames() {
		s, err := Find(name)
		require.NoError(t, err)
		text, err := json.Marshal(s)
		require.NoError(t, err)
		all.WriteString(string(text) + "\n")
	}
	requireGolden(t, "specs.jsonl", all.String())
}

// TestSchemaText compares the JSON Schema with its golden file, byte by byte.
func TestSchemaText(t *testing.T) {
	text, err := Schema()
	require.NoError(t, err)
	requireGolden(t, "schema.json", string(text))
}

// TestMistakesWhole compares the whole report of each planted mistake with a golden file, as JSON
// and as text for a person.
func TestMistakesWhole(t *testing.T) {
	var all strings.Builder
	for _, row := range plantedMistakes() {
		_, err := Parse("m.yaml", []byte(row.text))
		for _, mistake := range Problems("m.yaml", err) {
			text, err := json.Marshal(mistake)
			require.NoError(t, err)
			all.WriteString(string(text) + "\n" + mistake.Excerpt() + "\n\n")
		}
	}
	requireGolden(t, "mistakes.txt", all.String())
}
