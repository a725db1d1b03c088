package abtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// TestProtocol_encoding checks the lines of protocol 3, as drivers of old revisions read and write
// them.
func TestProtocol_encoding(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		line  string
	}{
		"hello": {
			&hello{
				Protocol: 3, EveryAllocation: true,
				Work: []assignment{{
					Spec: json.RawMessage(`{"name":"x"}`), Fleet: "http://127.0.0.1:1", Control: "http://127.0.0.1:2",
					Token: "secret", CA: "certificates", Machine: "identity",
				}},
			},
			`{"protocol":3,"work":[{"spec":{"name":"x"},"fleet":"http://127.0.0.1:1","control":"http://127.0.0.1:2",` +
				`"token":"secret","ca":"certificates","machine":"identity"}],"every_allocation":true}`,
		},
		"hello without what is optional": {
			&hello{Protocol: 3, Work: []assignment{{Spec: json.RawMessage(`{}`)}}},
			`{"protocol":3,"work":[{"spec":{},"fleet":"","control":"","token":""}]}`,
		},
		"a block":            {&request{Measure: true}, `{"measure":true}`},
		"of another one":     {&request{Measure: true, Scenario: 2}, `{"measure":true,"scenario":2}`},
		"nothing is planted": {&request{Injection: &Injection{}}, `{"plant":{}}`},
		"all is planted": {
			&request{Injection: &Injection{Processor: time.Microsecond, Allocations: 2, Requests: 3, CPUProfile: true}},
			`{"plant":{"processor":1000,"allocations":2,"requests":3,"cpu_profile":true}}`,
		},
		"a profile": {
			&request{Profile: &profileRequest{Dir: "base", Kind: profiles.Allocs, Number: 4, Nanoseconds: time.Second}},
			`{"profile":{"dir":"base","kind":"allocs","number":4,"nanoseconds":1000000000}}`,
		},
		"done": {&response{Protocol: 3}, `{"protocol":3}`},
		"records": {
			&response{Protocol: 3, Records: []results.Record{{
				Scenario: "gate-push", Op: "push", Repetition: 1, Ops: 20, Failed: 1, NotSent: 2,
				Values: []results.Value{{Unit: "ns/op", Value: 12.5}},
			}}},
			`{"protocol":3,"records":[{"Scenario":"gate-push","Op":"push","Repetition":1,"Ops":20,` +
				`"Values":[{"Unit":"ns/op","Value":12.5}],"Failed":1,"NotSent":2}]}`,
		},
		"not to be believed": {
			&response{Protocol: 3, Invalid: []string{"why"}, Contradicted: true},
			`{"protocol":3,"invalid":["why"],"contradicted":true}`,
		},
		"an error": {&response{Protocol: 3, Error: "why"}, `{"protocol":3,"error":"why"}`},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := json.Marshal(c.value)
			require.NoError(t, err)
			require.Equal(t, c.line, string(line))
		})
	}
}

// TestProtocol_driver checks what a driver answers to a gate's lines, whichever versions the two
// have.
func TestProtocol_driver(t *testing.T) {
	spec, err := scenarios.Find("gate-push")
	require.NoError(t, err)
	fleet, err := target.StartProcess(t.Context(), []string{os.Args[0], "fleet"}, spec, os.Stderr)
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	encoded, err := json.Marshal(spec)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "base")
	const (
		done   = `^\{"protocol":3\}$`
		values = `\[\{"Unit":"ns/op","Value":[0-9.e+]+\}(,\{"Unit":"[^"]+","Value":[0-9.e+]+\})+\]`
		block  = `^\{"protocol":3,"records":\[\{"Scenario":"gate-push","Op":"push","Repetition":%d,"Ops":[0-9]+,"Values":` +
			values + `\}\](,"invalid":\["[^"]+"\])?\}$` // on a busy machine, the records may be invalid
	)
	var lines strings.Builder
	var want []string
	say := func(line, answer string, args ...any) {
		fmt.Fprintf(&lines, line+"\n", args...)
		want = append(want, answer)
	}
	say(`{"protocol":3,"work":[{"spec":%s,"fleet":%q,"control":%q,"token":%q,"machine":"identity"}]}`, done,
		encoded, fleet.Ready.Address, fleet.Ready.Control, fleet.Ready.Token)
	say(`{"measure":true}`, fmt.Sprintf(block, 1))
	say(`{"plant":{"processor":1000,"allocations":1,"requests":1}}`, done)
	say(`{"plant":{"cpu_profile":true},"measure":true,"scenario":0}`, fmt.Sprintf(block, 2))
	say(`{"measure":true,"scenario":1}`, `^\{"protocol":3,"error":"it has no scenario 1, of 1"\}$`)
	say(`{"profile":{"dir":%q,"kind":"allocs","number":7,"nanoseconds":50000000}}`, done, dir)
	say(`{"profile":{"dir":%q,"kind":"nonesuch","number":8,"nanoseconds":1000}}`,
		`^\{"protocol":3,"error":".*nonesuch.*"\}$`, dir)
	var out strings.Builder
	require.NoError(t, Serve(t.Context(), strings.NewReader(lines.String()), &out, nil))
	answers := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, answers, len(want), out.String())
	for i, answer := range answers {
		require.Regexp(t, want[i], answer)
	}
	require.FileExists(t, filepath.Join(dir, "allocs.7.pb.gz"))
}

// TestServe_profilesRepeatedly checks that a load without a duration is repeated for the length of
// a profile, and that the profile says how many operations it covers.
func TestServe_profilesRepeatedly(t *testing.T) {
	spec, err := scenarios.Find("gate-push")
	require.NoError(t, err)
	spec.Load.Duration, spec.Fleet.Devices = 0, 10
	require.NoError(t, spec.Validate())
	fleet, err := target.StartProcess(t.Context(), []string{os.Args[0], "fleet"}, spec, os.Stderr)
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	encoded, err := json.Marshal(spec)
	require.NoError(t, err)
	dir := t.TempDir()
	at := fleet.Ready
	lines := fmt.Sprintf(`{"protocol":3,"work":[{"spec":%s,"fleet":%q,"control":%q,"token":%q}]}`+"\n"+
		`{"profile":{"dir":%q,"kind":"allocs","number":1,"nanoseconds":50000000}}`, encoded, at.Address, at.Control,
		at.Token, dir)
	var out strings.Builder
	require.NoError(t, Serve(t.Context(), strings.NewReader(lines), &out, nil))
	require.Equal(t, strings.Repeat(`{"protocol":3}`+"\n", 2), out.String())
	p, err := profiles.Load(filepath.Join(dir, "allocs.1.pb.gz"))
	require.NoError(t, err)
	operations := profiles.Operations(p)
	require.Positive(t, operations)
	require.Zero(t, operations%10, "whole repetitions of ten devices each")
}
