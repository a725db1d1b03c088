package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

func TestJSONView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		o := New(&out, JSON)
		s := runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 2, Total: 3, Planned: 1000,
			Duration: 4 * time.Second, Rate: 300}
		o.Begin(s)
		for at := 200 * time.Millisecond; at <= 2*time.Second; at += 200 * time.Millisecond {
			o.Progress(s, runner.Progress{Done: int64(at / (4 * time.Millisecond)), Failed: 2, Elapsed: at, PlannedRate: 250,
				P50: 1, P99: 2, Classes: map[string]int{"timeout": 2}, Stage: runner.Load, InFlight: 7, NotSent: 8})
		}
		o.End(s, runner.Progress{Done: 1000, Elapsed: 4 * time.Second})
		o.Close()
		var got []jsonProgress
		for lines := json.NewDecoder(&out); lines.More(); {
			var p jsonProgress
			require.NoError(t, lines.Decode(&p))
			got = append(got, p)
		}
		require.Len(t, got, 3, "one a second, and the end")
		require.Equal(t, jsonProgress{
			Scenario: "x", Kind: runner.Timed, Repetition: 2, Of: 3, Done: 500, Failed: 2, Planned: 1000, ElapsedNS: 2e9,
			LeftNS:       got[1].LeftNS,
			OpsPerSecond: 250, PlannedOpsPerSecond: 250, TryingOpsPerSecond: 300, P50NS: 1, P99NS: 2,
			Failures: map[string]int{"timeout": 2}, Stage: runner.Load, InFlight: 7, NotSent: 8,
		}, got[1])
		require.Positive(t, got[1].LeftNS)
		require.True(t, got[2].Ended)
		require.EqualValues(t, 1000, got[2].Done)
	})
}

// TestSchema checks that the schema has exactly the fields of the objects, that it accepts the
// objects of every stage, and that it refuses others.
func TestSchema(t *testing.T) {
	schema := compiledSchema(t)
	var fields []string
	for f := range reflect.TypeFor[jsonProgress]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	require.ElementsMatch(t, fields, slices.Collect(maps.Keys(schema.Properties)))

	for _, stage := range append(runner.Stages(), "") {
		var out bytes.Buffer
		s := runner.Repetition{Scenario: "x", Phase: runner.Profiled, Number: 1, Total: 1, Planned: 3, Rate: 1.5}
		o := New(&out, JSON)
		switch stage {
		case runner.Load, runner.Soaking, runner.Draining, "":
			o.Begin(s)
			o.Progress(s, runner.Progress{Stage: stage, Elapsed: time.Second, Done: 1, Failed: 1, InFlight: 1,
				Classes: map[string]int{"timeout": 1}, Invalid: "x", Failing: "y", SoakLeft: 1, WaveCount: 2,
				Waves: []results.Wave{{Number: 1, Share: 0.5, Size: 2, Why: "passed", Ended: true}}})
		default:
			o.Doing(s, runner.Activity{Stage: stage, Elapsed: time.Second, Done: 1, Of: 2})
		}
		object, err := jsonschema.UnmarshalJSON(&out)
		require.NoError(t, err, stage)
		require.NoError(t, schema.Validate(object), stage)
		object.(map[string]any)["stage"] = "idling"
		require.Error(t, schema.Validate(object))
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("progress.json", document))
	schema, err := compiler.Compile("progress.json")
	require.NoError(t, err)
	return schema
}

// TestSchema_runs checks the objects of real runs: of a rollout that waits after its first wave,
// and of an open load that can't keep its plan and has failures.
func TestSchema_runs(t *testing.T) {
	schema := compiledSchema(t)
	for name, row := range map[string]struct {
		sets   []string
		stages []string
		says   string
	}{
		"rollout": {
			[]string{"load.model=rollout", "load.rollout.waves=[{share: 0.2, soak: 2500ms}, {share: 1}]"}, []string{"soaking"},
			`"wave_count":2,"soak_left_ns":`,
		},
		"open": {
			[]string{"load.model=constant", "load.rate=100/s", "load.duration=2200ms", "load.workers=2",
				"fleet.behavior={latency: 50ms, fail_first: 1}", "client.max_attempts=1", "load.drain=3s"},
			[]string{"load", "draining"}, `"invalid":"the run is invalid already: the plan is over`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := scenarios.Default()
			spec.Name, spec.Fleet.Devices, spec.Repetitions, spec.Warmup, spec.Profiled = "x", 10, 1, 0, 0
			for _, set := range row.sets {
				require.NoError(t, spec.Set(set))
			}
			var out bytes.Buffer
			o := runner.Options{
				Spec: spec, Target: target.Options{Address: target.InProcess}, Out: t.TempDir(), Observer: New(&out, JSON),
				Machine: results.Machine{GOMAXPROCS: 1, Identity: "0123456789ab"},
			}
			require.NoError(t, o.Validate())
			running, err := runner.Start(t.Context(), o)
			require.NoError(t, err)
			_, err = running.Measure(t.Context())
			require.NoError(t, errors.Join(err, running.Finish("")))
			require.Contains(t, out.String(), row.says)
			seen, ended := map[string]bool{}, 0
			for lines := json.NewDecoder(&out); lines.More(); {
				var object map[string]any
				require.NoError(t, lines.Decode(&object))
				require.NoError(t, schema.Validate(object))
				if stage, ok := object["stage"].(string); ok {
					seen[stage] = true
				}
				if object["ended"] == true {
					ended++
				}
			}
			require.Equal(t, 1, ended)
			require.Subset(t, slices.Collect(maps.Keys(seen)), row.stages)
		})
	}
}
