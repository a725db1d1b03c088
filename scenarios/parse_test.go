package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestParse(t *testing.T) {
	s, err := Parse("x.yaml", []byte(`
# a comment
name: my-rollout
description: "5% slower?"
fleet:
  devices: 1_000
  addressing: path
  behavior:
    latency: lognormal(p50=5ms, p99=50ms)
    fail_first: 2
    fail_status: 500
artifact: {size: 10MB, version: "2.1"}
client:
  transport: nethttp
  answer_timeout: 2s
load:
  model: constant
  operation: push
  rate: 500/s
  duration: 1m
  workers: 8
repetitions: 3
warmup: 0
seed: 18446744073709551615
`))
	require.NoError(t, err)
	require.Equal(t, "my-rollout", s.Name)
	require.Equal(t, "5% slower?", s.Description)
	require.Equal(t, 1000, s.Fleet.Devices)
	require.Equal(t, 2, s.Fleet.Behavior.FailFirst)
	require.Equal(t, 500, s.Fleet.Behavior.FailStatus)
	require.Contains(t, s.Fleet.Behavior.Latency.String(), "50ms")
	require.Equal(t, ArtifactSpec{Size: 10_000_000, Version: "2.1"}, s.Artifact)
	require.Equal(t, delivery.NetHTTP, s.Client.Transport)
	require.Equal(t, 2*time.Second, s.Client.AnswerTimeout.Std())
	require.Equal(t, LoadSpec{Model: ConstantRate, Operation: delivery.OpPush, Workers: 8, Rate: 500,
		Duration: Duration(time.Minute)}, s.Load)
	require.Equal(t, []int{3, 0, 1}, []int{s.Repetitions, s.Warmup, s.Profiled}, "what is left out has its default")
	require.Equal(t, uint64(1<<64-1), s.Seed)
}

func TestParseGroups(t *testing.T) {
	s, err := Parse("x.yaml", []byte(`
name: x
fleet:
  behavior: {life: {install: "uniform(1s, 2s)", reboot: 5s}}
  groups:
    - name: slow
      share: 8%
      behavior:
        network: {rtt: "lognormal(p50=40ms, p99=400ms)", bandwidth: 100000, receive_buffer: 16384, max_connections: 2, max_requests: 5, http_1_0: true}
    - {name: broken, share: 0.02, behavior: {faults: [{kind: status-500}]}}
`))
	require.NoError(t, err)
	require.Equal(t, "5s", s.Fleet.Behavior.Life.Reboot.String())
	require.Len(t, s.Fleet.Groups, 2)
	slow := s.Fleet.Groups[0]
	require.Equal(t, []any{"slow", random.Share(0.08)}, []any{slow.Name, slow.Share})
	require.Equal(t, "lognormal(p50=40ms, p99=400ms)", slow.Behavior.Network.RTT.String())
	require.Equal(t, []any{16384, 2, 5, true}, []any{
		slow.Behavior.Network.ReceiveBuffer, slow.Behavior.Network.MaxConnections, slow.Behavior.Network.MaxRequests,
		slow.Behavior.Network.HTTP10,
	})
	require.Equal(t, s.Fleet.Groups, s.FleetConfig().Groups)
	text, err := s.YAML()
	require.NoError(t, err)
	again, err := Parse("x.yaml", text)
	require.NoError(t, err, string(text))
	require.Equal(t, s, again)
	asJSON, err := json.Marshal(s)
	require.NoError(t, err)
	var handed Spec // as the fleet's process receives it
	require.NoError(t, json.Unmarshal(asJSON, &handed))
	require.Equal(t, s, handed)
}

func TestParseFaults(t *testing.T) {
	s, err := Parse("x.yaml", []byte(`
name: x
fleet:
  behavior:
    faults:
      - kind: status-503
        share: 10%
        first: 2
        retry_after: date(2s)
      - {kind: slow-read, rate: 4096}
      - {kind: reset-mid-upload, share: 0.5, after_bytes: "uniform(1, 1000)"}
`))
	require.NoError(t, err)
	faults := s.Fleet.Behavior.Faults
	require.Len(t, faults, 3)
	require.Equal(t, fault.Fault{
		Kind: "status-503", Share: 0.1, First: 2, RetryAfter: fault.RetryAfter{After: 2 * time.Second, Date: true},
	}, faults[0])
	require.Equal(t, "4096", faults[1].Rate.String())
	require.Equal(t, "uniform(1, 1000)", faults[2].AfterBytes.String())
	text, err := s.YAML()
	require.NoError(t, err)
	again, err := Parse("x.yaml", text)
	require.NoError(t, err)
	require.Equal(t, s, again)

	for text, want := range map[string]string{
		"faults: blackhole":                         `x.yaml:1:38: fleet.behavior.faults: "blackhole": want a list`,
		"faults: [{kind: blackhole, rate: 5}]":      "x.yaml:1:63: fleet.behavior.faults[0].rate: 5: want none",
		"faults: [{kind: garbage}, {kind: garbag}]": `fleet.behavior.faults[1].kind: "garbag": want one of refuse`,
		"faults: [{kind: garbage, share: 2}]":       `fleet.behavior.faults[0].share: share "2": want a number from 0 to 1`,
		"faults: [{knd: garbage}]":                  `unknown key "knd"`,
	} {
		_, err := Parse("x.yaml", []byte("{name: x, fleet: {behavior: {"+text+"}}}"))
		require.ErrorContains(t, err, want)
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	for _, name := range CatalogNames() {
		s, err := Find(name)
		require.NoError(t, err)
		text, err := s.YAML()
		require.NoError(t, err)
		again, err := Parse("again.yaml", text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, s, again)
	}
}

// TestBlockText checks that text may be a block, literal or folded (YAML 1.2, 8.1).
func TestBlockText(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\ndescription: |\n  one\n  two\n":  "one\ntwo\n",
		"name: x\ndescription: >-\n  one\n  two\n": "one two",
		"description: |-\n  one: 1\nname: x\n":     "one: 1",
		"name: |-\n  x\ndescription: >\n  one\n\n": "one\n",
	} {
		s, err := Parse("x.yaml", []byte(text))
		require.NoError(t, err, "%s", text)
		require.Equal(t, want, s.Description)
		require.Equal(t, "x", s.Name)
		again, err := s.YAML()
		require.NoError(t, err)
		back, err := Parse("back.yaml", again)
		require.NoError(t, err, "%s", again)
		require.Equal(t, s, back)
	}
	s, err := Parse("x.yaml", []byte("name: x\nload:\n  duration: >-\n    5s\n"))
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, s.Load.Duration.Std())
}

func TestSet(t *testing.T) {
	s := Default()
	for _, set := range []string{
		"load.workers=64", "load.model=constant", "load.rate=2000/s", "artifact.version=2.0", "fleet.behavior.fail_first=3",
		"artifact.file=it's",
		"description=a: b # c", "seed=7", "fleet.behavior.latency=uniform(1ms, 5ms)",
	} {
		require.NoError(t, s.Set(set), set)
	}
	require.Equal(t, 64, s.Load.Workers)
	require.Equal(t, Rate(2000), s.Load.Rate)
	require.Equal(t, "2.0", s.Artifact.Version)
	require.Equal(t, 3, s.Fleet.Behavior.FailFirst)
	require.Equal(t, "it's", s.Artifact.File)
	require.Equal(t, "a: b # c", s.Description)
	for set, want := range map[string]string{
		"load.workers":         `"load.workers": want KEY=VALUE`,
		"load.wrkers=3":        `load.wrkers: unknown key "wrkers": did you mean workers?`,
		"load.workers.x=3":     `load.workers.x: load.workers has no fields`,
		"load.workers=three":   `load.workers: "three": want a whole number`,
		"load.workers=":        `load.workers: "": want a value`,
		"load=3":               `load: "3": want a mapping`,
		"load.rate=3":          `load.rate: "3": want a rate`,
		"load.workers=[":       `load.workers: "[": want a value`,
		"client.transport={a}": `client.transport`,
	} {
		err := s.Set(set)
		if want == `client.transport` {
			require.NoError(t, err) // Set takes any text, and Validate rejects this one
			require.Error(t, s.Validate())
			continue
		}
		require.EqualError(t, err, err.Error())
		require.ErrorContains(t, err, want)
	}
}

// TestSetInside checks that any field can be set, and that specs which share lists with the changed
// one keep theirs.
func TestSetInside(t *testing.T) {
	s, err := Parse("x.yaml", []byte(`
name: x
fleet:
  groups:
    - {name: a, share: 5%, behavior: {faults: [{kind: garbage}, {kind: status, status: 500}]}}
    - {name: b, share: 5%}
load:
  model: stages
  stages: [{rate: 1/s, for: 1s}, {rate: 2/s, for: 2s}]
`))
	require.NoError(t, err)
	before := s
	was, err := s.YAML()
	require.NoError(t, err)
	for _, set := range []string{
		"fleet.groups[0].share=10%", "fleet.groups[1].behavior.network.http_1_0=true",
		"fleet.groups[0].behavior.faults[1].status=503",
		"fleet.groups[1].behavior.life={install: 2s}", "fleet.groups[0].name=c", "load.stages[1].for=5s",
		"load.stages[0].to=7/s", "load.stages[1]={to: 9/s}",
	} {
		require.NoError(t, s.Set(set), set)
	}
	require.NoError(t, s.Validate())
	require.Equal(t, []any{random.Share(0.1), "c", 503, 0}, []any{
		s.Fleet.Groups[0].Share, s.Fleet.Groups[0].Name, s.Fleet.Groups[0].Behavior.Faults[1].Status,
		s.Fleet.Groups[0].Behavior.Faults[0].Status,
	})
	require.Equal(t, []any{true, "2s"}, []any{s.Fleet.Groups[1].Behavior.Network.HTTP10,
		s.Fleet.Groups[1].Behavior.Life.Install.String()})
	require.Equal(t, []any{5 * time.Second, Rate(7), Rate(2), Rate(9)},
		[]any{s.Load.Stages[1].For.Std(), *s.Load.Stages[0].To, s.Load.Stages[1].Rate, *s.Load.Stages[1].To})
	still, err := before.YAML()
	require.NoError(t, err)
	require.Equal(t, string(was), string(still))

	for set, want := range map[string]string{
		"fleet.groups[2].share=1%":      "fleet.groups[2].share: there is no fleet.groups[2] in a list of 2: want fleet.groups[0] to fleet.groups[1], or the whole list, fleet.groups=[…]",
		"load.stages[0].to.x=1":         "load.stages[0].to.x: load.stages[0].to has no fields",
		"fleet.groups[-1].share=1%":     "fleet.groups[-1].share: fleet.groups[-1]: want a place in the list, such as fleet.groups[0]",
		"fleet.groups[].share=1%":       "fleet.groups[].share: fleet.groups[]: want a place in the list, such as fleet.groups[0]",
		"fleet.groups[0.share=1%":       "fleet.groups[0.share: fleet.groups[0: want a place in the list, such as fleet.groups[0]",
		"fleet.groups[0][1].share=1%":   "fleet.groups[0][1].share: fleet.groups[0][1]: want a place in the list, such as fleet.groups[0]",
		"fleet.groups.share=1%":         "fleet.groups.share: fleet.groups has no fields",
		"fleet[0].devices=1":            "fleet[0].devices: fleet is no list: want it without [0]",
		"fleet.groups[0].shar=1%":       `fleet.groups[0].shar: unknown key "shar": did you mean share?; want one of name, share, behavior, tls`,
		"fleet.groups[0].share=lots":    `fleet.groups[0].share: share "lots": want a number from 0 to 1, or a percentage`,
		"fleet.groups[0]={shar: 1%}":    `fleet.groups[0]: unknown key "shar": did you mean share?; want one of name, share, behavior, tls`,
		"fleet.behavior.faults[0].on=x": "fleet.behavior.faults[0].on: fleet.behavior.faults is empty: want the whole list, fleet.behavior.faults=[…]",
	} {
		require.EqualError(t, s.Set(set), want)
	}
	require.NoError(t, s.Set("fleet.groups=[{name: d, share: 1}]"))
	require.EqualError(t, s.Set("fleet.groups[7].share=1%"),
		"fleet.groups[7].share: there is no fleet.groups[7] in a list of one: want fleet.groups[0], or the whole list, fleet.groups=[…]")
}

func TestFind(t *testing.T) {
	for _, name := range CatalogNames() {
		s, err := Find(name)
		require.NoError(t, err)
		require.Equal(t, name, s.Name, "a scenario is found by its own name")
		require.NotEmpty(t, s.Description)
		source, err := CatalogFile(name)
		require.NoError(t, err)
		require.NotEmpty(t, source)
	}
	require.Contains(t, CatalogNames(), "rollout")
	require.Contains(t, CatalogNames(), "throughput")
	_, err := Find("rolout")
	require.ErrorContains(t, err, `scenario "rolout": no such scenario: did you mean rollout?`)
	_, err = Find("xyzzy")
	require.NotContains(t, err.Error(), "did you mean")
	_, err = Find("missing.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)

	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte("name: mine\n"), 0o600))
	s, err := Find(path)
	require.NoError(t, err)
	require.Equal(t, 5000, s.Fleet.Devices)
	require.NoError(t, os.WriteFile(path, []byte("#"+strings.Repeat("x", maxSpecFile)), 0o600))
	_, err = Find(path)
	require.ErrorContains(t, err, "over 262144 bytes")
}

func TestTheDefaultIsRollout(t *testing.T) {
	want, err := Find("rollout")
	require.NoError(t, err)
	got := Default()
	got.Name, got.Description = want.Name, want.Description
	require.Equal(t, want, got)
}

func TestEditDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"a", ""}: 1, {"kitten", "sitting"}: 3,
		{"rolout", "rollout"}: 1, {"flaw", "lawn"}: 2} {
		require.Equal(t, want, editDistance(pair[0], pair[1]), pair)
		require.Equal(t, want, editDistance(pair[1], pair[0]), pair)
	}
}

// FuzzParse checks that no text makes Parse panic, and that a scenario it accepts can be written,
// parsed again, and is valid for the schema.
func FuzzParse(f *testing.F) {
	for _, name := range CatalogNames() {
		text, err := CatalogFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("name: x\nload: {rate: 3/s, model: constant}\n")
	f.Add("a: &a [*a]\n")
	f.Add("name: !!binary x\n<<: {seed: 1}\n")
	f.Add("extends: million\nname: x\nload: {model: once}\n")
	f.Add("name:\tx\nfleet: {groups: [{name: a, share: 1%, behavior: {network: {bandwidth: 5}}}]}\n")
	f.Add("name: x\nfleet: {behavior: {faults: []}}\n")
	f.Add("name: x\nthresholds: [ops/s > 1/s in every 1s, {threshold: ns/op{op=push} < 1s in every 10ms for 3 windows, abort: true}]\n")
	for _, planted := range plantedMistakes() {
		f.Add(planted.text)
	}
	editor := compiledSchema(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			for _, mistake := range Problems("f.yaml", err) {
				require.NotEmpty(t, mistake.Excerpt())
			}
			return
		}
		again, err := s.YAML()
		require.NoError(t, err)
		back, err := Parse("g.yaml", again)
		require.NoError(t, err, "%s", again)
		require.Equal(t, s, back)
		requireValid(t, editor, again)
	})
}
