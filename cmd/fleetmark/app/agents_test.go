package app

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// validates returns an error unless the document satisfies a JSON Schema.
func validates(t *testing.T, schema string, document []byte) error {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", parsed))
	compiled, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	return compiled.Validate(value)
}

// TestRunAgents_json runs a scenario with agents on this machine, and checks what programs read of
// it: the object of --json has the agents as run.json has them, --progress json tells of all of
// them, and the run's profiles are read as any other's.
func TestRunAgents_json(t *testing.T) {
	onceOnly(t)
	dir := t.TempDir()
	got := fleetmark(t, dir, nil, "run", "throughput", "--duration", "2s", "--devices", "60", "--repeat", "1",
		"--warmup", "0", "--agents", "2", "--local", "--json", "--progress", "json")
	require.Contains(t, []int{cli.ExitPass, cli.ExitInconclusive}, got.code, got.stderr)
	var object struct {
		Run     string            `json:"run"`
		Valid   bool              `json:"valid"`
		Agents  *results.Agents   `json:"agents"`
		Results []json.RawMessage `json:"results"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &object))
	loaded, err := rundir.Load(filepath.Join(dir, object.Run))
	require.NoError(t, err)
	require.True(t, object.Valid, got.stdout)
	require.Equal(t, loaded.Run.Agents, object.Agents)
	require.Len(t, object.Agents.List, 2)
	for i, a := range object.Agents.List {
		require.Equal(t, []string{"local-1", "local-2"}[i], a.Name)
		require.Equal(t, 30, a.Devices)
		require.Equal(t, results.AgentFinished, a.Status)
	}
	require.Len(t, object.Results, 1)
	require.NoError(t, validates(t, report.Schema(), object.Results[0]))

	loads := 0
	for line := range strings.Lines(got.stderr) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		require.NoError(t, validates(t, progress.Schema(), []byte(line)), line)
		var p struct {
			Stage  string                   `json:"stage"`
			Agents *struct{ Of, Alive int } `json:"agents"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		require.NotNil(t, p.Agents, line)
		require.Equal(t, 2, p.Agents.Of, line)
		if p.Stage == "load" {
			loads++
		}
	}
	require.Positive(t, loads, got.stderr)

	top := fleetmark(t, dir, nil, "profile", "top", object.Run, "--kind", "allocs")
	require.Equal(t, cli.ExitPass, top.code, top.stderr)
	require.Contains(t, top.stdout, "flat%")
}
