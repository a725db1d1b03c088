package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// compiled is the schema in the hands of a validator that isn't ours. strict: a field that
// it doesn't name is a mistake, so that none is left out of it.
func compiled(t testing.TB, strict bool) *jsonschema.Schema {
	t.Helper()
	text := Schema()
	if strict {
		text = strings.ReplaceAll(text, `"additionalProperties": true`, `"additionalProperties": false`)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("report.json", document))
	s, err := c.Compile("report.json")
	require.NoError(t, err)
	require.Equal(t, 2020, s.DraftVersion)
	return s
}

func jsonOf(t testing.TB, s *Subject) any {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, JSON(&b, s))
	document, err := jsonschema.UnmarshalJSON(&b)
	require.NoError(t, err)
	return document
}

func TestJSONKeepsItsSchema(t *testing.T) {
	for name, s := range subjects() {
		t.Run(name, func(t *testing.T) {
			document := jsonOf(t, s)
			if name == "another word" {
				require.Error(t, compiled(t, false).Validate(document), "there are five verdicts")
				return
			}
			require.NoError(t, compiled(t, true).Validate(document))
		})
	}
}

func TestJSONSays(t *testing.T) {
	d := jsonOf(t, gateSubject()).(map[string]any)
	require.Equal(t, "regressed", d["verdict"])
	base := d["base"].(map[string]any)
	require.Equal(t, "main", base["label"])
	require.Equal(t, "5d3d764", base["revision"])
	row := d["rows"].([]any)[0].(map[string]any)
	require.Equal(t, "lower", row["better"])
	require.Contains(t, row, "ratio")
	require.Len(t, row["base"].(map[string]any)["samples"], 12)
	whole := jsonOf(t, wholeSubject()).(map[string]any)
	now := whole["now"].(map[string]any)
	require.Equal(t, map[string]any{"name": "rollout", "fleet": map[string]any{"devices": json.Number("10")}}, now["run"].(map[string]any)["spec"])
	require.Equal(t, []any{map[string]any{"class": "integrity", "kept": json.Number("20")}, map[string]any{"class": "timeout", "kept": json.Number("10")}}, now["failures"])
	require.Equal(t, "threshold failed", whole["headline"])
}

func TestSchemaRefuses(t *testing.T) {
	s := compiled(t, false)
	for _, name := range []string{"schema", "verdict", "now", "rows"} {
		d := jsonOf(t, gateSubject()).(map[string]any)
		delete(d, name)
		require.Error(t, s.Validate(d), name)
	}
}
