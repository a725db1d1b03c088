package scenarios

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
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
	require.Equal(t, LoadSpec{Model: Constant, Operation: Push, Workers: 8, Rate: 500, Duration: Duration(time.Minute)}, s.Load)
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
	require.Equal(t, []any{"slow", mockfleet.Share(0.08)}, []any{slow.Name, slow.Share})
	require.Equal(t, "lognormal(p50=40ms, p99=400ms)", slow.Behavior.Network.RTT.String())
	require.Equal(t, []any{16384, 2, 5, true}, []any{
		slow.Behavior.Network.ReceiveBuffer, slow.Behavior.Network.MaxConnections, slow.Behavior.Network.MaxRequests, slow.Behavior.Network.HTTP10,
	})
	require.Equal(t, s.Fleet.Groups, s.FleetConfig().Groups)
	text, err := s.YAML()
	require.NoError(t, err)
	again, err := Parse("x.yaml", text)
	require.NoError(t, err, string(text))
	require.Equal(t, s, again)
	asJSON, err := json.Marshal(s)
	require.NoError(t, err)
	var handed Spec // as the fleet's process gets it
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
	require.Equal(t, mockfleet.Fault{
		Kind: "status-503", Share: 0.1, First: 2, RetryAfter: mockfleet.RetryAfter{After: 2 * time.Second, Date: true},
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
	for _, name := range Names() {
		s, err := Find(name)
		require.NoError(t, err)
		text, err := s.YAML()
		require.NoError(t, err)
		again, err := Parse("again.yaml", text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, s, again)
	}
}

// TestBlockText: text may be written as a block, kept or folded (YAML 1.2, 8.1).
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

// TestMistakes plants one mistake at a time; each is named with its place.
func TestMistakes(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"name: x\nlod:\n  workers: 3\n", `m.yaml:2:1: unknown key "lod": did you mean load?`},
		{"name: x\nload:\n  wrkers: 3\n", `m.yaml:3:3: load: unknown key "wrkers": did you mean workers?`},
		{"name: x\nload:\n  workers: many\n", `m.yaml:3:12: load.workers: "many": want a whole number`},
		{"name: x\nload:\n  workers: 1.5\n", `m.yaml:3:12: load.workers: "1.5": want a whole number`},
		{"name: x\nload:\n  workers: [1]\n", `m.yaml:3:12: load.workers: a list: want a whole number`},
		{"name: x\nload:\n  workers: 0\n", `m.yaml:3:12: load.workers: 0: want 1 to 65536`},
		{"name: x\nload:\n  workers: 99999999999999999999\n", `m.yaml:3:12: load.workers:`},
		{"name: x\nload:\n  workers: 010\n", `m.yaml:3:12: load.workers: "010": want a whole number without leading zeros; as an octal it is 0o10`},
		{"name: x\nload:\n  workers: 0_10\n", `m.yaml:3:12: load.workers: "0_10": want a whole number without leading zeros`},
		{"name: x\nload:\n  workers: -010\n", `m.yaml:3:12: load.workers: "-010": want a whole number without leading zeros`},
		{"name: x\nload:\n  workers: |\n    10\n", `m.yaml:3:12: load.workers: "10\n": want a whole number`},
		{"name: x\nload:\n  workers:\n", `m.yaml:3:3: load.workers: has no value`},
		{"name: x\nload: 3\n", `m.yaml:2:7: load: "3": want a mapping of model, operation`},
		{"name: x\nload: []\n", `m.yaml:2:7: load: a list: want a mapping`},
		{"name: x\nload:\n  model: constant\n  rate: 10 per s\n", `m.yaml:4:9: load.rate: "10 per s": want a rate such as 10/s`},
		{"name: x\nload:\n  rate: 10/s\n", `m.yaml:3:9: load.rate: 10/s: the closed model has no use for it; it is for constant, poisson`},
		{"name: x\nload:\n  model: constant\n", `load.rate: 0/s: the constant model wants a rate`},
		{"name: x\nload:\n  model: open\n", `m.yaml:3:10: load.model: "open": want closed, once, constant, poisson, ramp`},
		{"name: x\nload:\n  operation: ping\n", `m.yaml:3:14: load.operation: "ping": want push, verify or deliver`},
		{"name: x\nload:\n  duration: 5\n", `m.yaml:3:13: load.duration: "5": want a duration such as 5s`},
		{"name: x\nload:\n  duration: -5s\n", `m.yaml:3:13: load.duration: "-5s": want a duration`},
		{"name: x\nfleet:\n  devices: -1\n", `m.yaml:3:12: fleet.devices: -1: want 1 to`},
		{"name: x\nfleet: {devices: 6000, addressing: port}\n", `m.yaml:2:18: fleet.devices: 6000: addressing port holds at most 5000`},
		{"name: x\nfleet:\n  addressing: dns\n", `m.yaml:3:15: fleet.addressing: "dns": want ip, port or path`},
		{"name: x\nfleet:\n  behavior:\n    latency: slow\n", `m.yaml:4:14: fleet.behavior.latency:`},
		{"name: x\nfleet:\n  behavior:\n    fail_status: 200\n", `m.yaml:4:18: fleet.behavior.fail_status: 200: want an HTTP status`},
		{"name: x\nfleet:\n  groups:\n    - {name: slow, share: 8%}\n    - {name: slow, share: 2%}\n", `m.yaml:5:14: fleet.groups[1].name: "slow": want a name that no other`},
		{"name: x\nfleet:\n  groups:\n    - {share: 8%}\n", `m.yaml:4:7: fleet.groups[0].name: "": want 1 to 32`},
		{"name: x\nfleet:\n  groups:\n    - {name: a, share: 8%, behavior: {network: {http_1_0: 1}}}\n", `m.yaml:4:59: fleet.groups[0].behavior.network.http_1_0: "1": want true or false`},
		{"name: x\nfleet:\n  addressing: path\n  groups:\n    - {name: a, share: 1, behavior: {network: {max_connections: 1}}}\n", `m.yaml:5:65: fleet.groups[0].behavior.network.max_connections: 1: want ip or port`},
		{"name: x\nartifact:\n  size: 64 kilobytes\n", `m.yaml:3:9: artifact.size: "64 kilobytes": want an amount of data`},
		{"name: x\nartifact:\n  size: 0\n", `m.yaml:3:9: artifact.size: 0B: want 1B to`},
		{"name: x\nclient:\n  transport: quic\n", `m.yaml:3:14: client.transport: "quic": want lean or nethttp`},
		{"name: x\nclient:\n  max_idle: -1\n", `m.yaml:3:3: client: delivery: max idle -1`},
		{"name: x\nload:\n  workers: {a: 1}\n", `m.yaml:3:12: load.workers: a mapping: want a whole number`},
		{"name: x\nload:\n  workers:\n    a: 1\n", `m.yaml:4:5: load.workers: a mapping: want a whole number`},
		{"name: x\nrepetitions: 0\n", `m.yaml:2:14: repetitions: 0: want 1 to 10000`},
		{"name: x\nseed: -1\n", `m.yaml:2:7: seed:`},
		{"name: My Rollout\n", `m.yaml:1:7: name: "My Rollout": want 1 to 64 lower-case`},
		{"name: 3\n", `m.yaml:1:7: name: "3": want text`},
		{"repetitions: 3\n", `name: "": want 1 to 64 lower-case`},
		{"name: x\nname: y\n", `m.yaml:2:1: not YAML: mapping key "name" already defined`},
		{"name: [x\n", `not YAML:`},
		{"name: x\n\tload: 3\n", `not YAML:`},
		{"name: x\n---\nname: y\n", `a second document`},
		{"- name: x\n", `a list: want a mapping`},
		{"", `is empty: want a scenario`},
		{"# nothing\n", `is empty: want a scenario`},
		{"1: x\n", `key 1: want one of name`},
	} {
		_, err := Parse("m.yaml", []byte(row.text))
		require.ErrorContains(t, err, row.want, "%s", row.text)
		require.NotContains(t, err.Error(), "\n", "one line a mistake: %s", row.text)
		_, ok := errors.AsType[*SpecError](err)
		require.True(t, ok)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Parse("m.yaml", []byte("name: x\nlod: 1\nload:\n  rate: fast\n  workers: none\n"))
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
	_, err = Parse("m.yaml", []byte("name: X\nrepetitions: 0\nwarmup: -1\n"))
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
}

func TestSet(t *testing.T) {
	s := Default()
	for _, set := range []string{
		"load.workers=64", "load.model=constant", "load.rate=2000/s", "artifact.version=2.0", "fleet.behavior.fail_first=3", "artifact.file=it's",
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
		"load.workers":         `--set: "load.workers": want KEY=VALUE`,
		"load.wrkers=3":        `--set load.wrkers: unknown key "wrkers": did you mean workers?`,
		"load.workers.x=3":     `--set load.workers.x: load.workers has no fields`,
		"load.workers=three":   `--set load.workers: "three": want a whole number`,
		"load.workers=":        `--set load.workers: "": want a value`,
		"load=3":               `--set load: "3": want a mapping`,
		"load.rate=3":          `--set load.rate: "3": want a rate`,
		"load.workers=[":       `--set load.workers: "[": want a value`,
		"client.transport={a}": `--set client.transport`,
	} {
		err := s.Set(set)
		if want == `--set client.transport` {
			require.NoError(t, err) // text is taken as it is; validation refuses it
			require.Error(t, s.Validate())
			continue
		}
		require.EqualError(t, err, err.Error())
		require.ErrorContains(t, err, want)
	}
}

func TestFind(t *testing.T) {
	for _, name := range Names() {
		s, err := Find(name)
		require.NoError(t, err)
		require.Equal(t, name, s.Name, "a scenario is found by its own name")
		require.NotEmpty(t, s.Description)
		source, err := Source(name)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(source), "# "), "%s begins with the question that it answers", name)
	}
	require.Contains(t, Names(), "rollout")
	require.Contains(t, Names(), "throughput")
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
	require.ErrorContains(t, err, "over 1048576 bytes")
}

func TestTheDefaultIsRollout(t *testing.T) {
	want, err := Find("rollout")
	require.NoError(t, err)
	got := Default()
	got.Name, got.Description = want.Name, want.Description
	require.Equal(t, want, got)
}

func TestEditDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"a", ""}: 1, {"kitten", "sitting"}: 3, {"rolout", "rollout"}: 1, {"flaw", "lawn"}: 2} {
		require.Equal(t, want, editDistance(pair[0], pair[1]), pair)
		require.Equal(t, want, editDistance(pair[1], pair[0]), pair)
	}
}

// FuzzParse: no text makes it panic, and what it takes it can write and take again.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("name: x\nload: {rate: 3/s, model: constant}\n")
	f.Add("a: &a [*a]\n")
	f.Add("name: !!binary x\n<<: {seed: 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		again, err := s.YAML()
		require.NoError(t, err)
		back, err := Parse("g.yaml", again)
		require.NoError(t, err, "%s", again)
		require.Equal(t, s, back)
	})
}
