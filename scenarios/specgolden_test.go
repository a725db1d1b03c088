package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// updateGolden names the variable that makes the tests of this file write what they compare with.
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

// TestSpecAsJSON pins the encoding of a scenario, the order of its fields included: workload digests
// are made of it, and run.json holds it.
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

// TestSchemaText pins the JSON Schema to the byte.
func TestSchemaText(t *testing.T) {
	text, err := Schema()
	require.NoError(t, err)
	requireGolden(t, "schema.json", string(text))
}

// TestMistakesWhole pins all that is said of each planted mistake: as JSON, and as a person reads it.
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
