package scenarios

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// inFiles writes the files into a new directory, and makes it the working directory.
func inFiles(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	t.Chdir(dir)
}

func TestExtends(t *testing.T) {
	inFiles(t, map[string]string{
		"five.yaml": "extends: rollout\nname: five\nfleet: {devices: 7}\nload:\n  workers: 2\n",
		"deep/base.yaml": `
extends: ../five.yaml
name: base
description: of the base
fleet:
  addressing: path
  behavior: {latency: 5ms, life: {reboot: 1s}}
  groups:
    - {name: a, share: 10%, behavior: {fail_first: 2}}
    - {name: b, share: 20%}
load: {model: poisson, rate: 5/s, duration: 10s}
`,
		"variant.yaml": `
name: variant
fleet:
  behavior: {life: {install: 2s}}
  groups: [{name: c, share: 20%}]
load: {duration: 20s}
extends: deep/base.yaml
`,
		"nameless.yaml": "seed: 5\nwarmup: 0\n",
		"named.yaml":    "extends: ./nameless.yaml\nname: named\n",
	})
	rollout, err := Find("rollout")
	require.NoError(t, err)

	five, err := Find("five.yaml")
	require.NoError(t, err)
	want := rollout
	want.Name, want.Description, want.Fleet.Devices, want.Load.Workers = "five", "", 7, 2
	require.Equal(t, want, five)

	got, err := Find("variant.yaml")
	require.NoError(t, err)
	require.Equal(t, []any{"variant", "", 7, address.Path, 2, Poisson}, []any{
		got.Name, got.Description, got.Fleet.Devices, got.Fleet.Addressing, got.Load.Workers, got.Load.Model,
	}, "name and description are the variant's own, and the rest is inherited")
	require.Equal(t, []any{Rate(5), 20 * time.Second}, []any{got.Load.Rate, got.Load.Duration.Std()})
	require.Equal(t, []string{"5ms", "2s", "1s"}, []string{
		got.Fleet.Behavior.Latency.String(), got.Fleet.Behavior.Life.Install.String(),
		got.Fleet.Behavior.Life.Reboot.String(),
	}, "mappings merge key by key")
	require.Equal(t, []behavior.Group{{Name: "c", Share: 0.2}}, got.Fleet.Groups, "a list takes the place of the base's")

	text, err := got.YAML()
	require.NoError(t, err)
	require.NotContains(t, string(text), extendsKey)
	again, err := Parse("elsewhere/again.yaml", text)
	require.NoError(t, err)
	require.Equal(t, got, again, "YAML has the inherited fields too")

	named, err := Find("named.yaml")
	require.NoError(t, err, "a scenario that is only a base needs no name")
	require.Equal(t, []any{uint64(5), 0}, []any{named.Seed, named.Warmup})
}

// TestAnotherModel checks that a variant with another load model drops the fields that only its
// base's model uses.
func TestAnotherModel(t *testing.T) {
	for base, variants := range map[string]map[string]string{
		"{model: spike, rate: 5/s, duration: 9s, spike: {rate: 9/s, at: 1s, for: 2s}, arrivals: poisson, workers: 3}": {
			"{model: closed}":                                       "{model: closed, duration: 9s, workers: 3}",
			"{model: once}":                                         "{model: once, workers: 3}",
			"{model: constant}":                                     "{model: constant, rate: 5/s, duration: 9s, workers: 3}",
			"{model: ramp, ramp: {to: 3/s}}":                        "{model: ramp, rate: 5/s, duration: 9s, arrivals: poisson, ramp: {to: 3/s}, workers: 3}",
			"{model: stages, stages: [{rate: 1/s, for: 1s}]}":       "{model: stages, stages: [{rate: 1/s, for: 1s}], arrivals: poisson, workers: 3}",
			"{model: breakpoint, breakpoint: {to: 9/s, probe: 5s}}": "{model: breakpoint, rate: 5/s, breakpoint: {to: 9/s, probe: 5s}, workers: 3}",
			"{model: spike, rate: 6/s}":                             "{model: spike, rate: 6/s, duration: 9s, spike: {rate: 9/s, at: 1s, for: 2s}, arrivals: poisson, workers: 3}",
			"{rate: 6/s}":                                           "{model: spike, rate: 6/s, duration: 9s, spike: {rate: 9/s, at: 1s, for: 2s}, arrivals: poisson, workers: 3}",
		},
		"{model: closed, think: 5ms, duration: 1m, operation: push}": {
			"{model: burst, burst: {size: 5, every: 1s}}": "{model: burst, burst: {size: 5, every: 1s}, duration: 1m, operation: push}",
			"{model: once}": "{model: once, think: 5ms, operation: push}",
		},
	} {
		for variant, want := range variants {
			inFiles(t, map[string]string{"base.yaml": "name: base\nload: " + base,
				"v.yaml": "extends: base.yaml\nname: v\nload: " + variant})
			got, err := Find("v.yaml")
			require.NoError(t, err, "%s over %s", variant, base)
			whole, err := Parse("w.yaml", []byte("name: v\nload: "+want))
			require.NoError(t, err)
			require.Equal(t, whole, got, "%s over %s", variant, base)
		}
	}
}

// TestMistakesOfVariants checks that each mistake is reported where the wrong value was written.
func TestMistakesOfVariants(t *testing.T) {
	chained := func(n int) map[string]string { // 1.yaml has a chain of n bases
		files := map[string]string{fmt.Sprintf("%d.yaml", n+1): "name: last\n"}
		for i := 1; i <= n; i++ {
			files[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf("name: n%d\nextends: %d.yaml\n", i, i+1)
		}
		return files
	}
	for name, row := range map[string]struct {
		files map[string]string // m.yaml is the scenario that is read
		want  []string
	}{
		"missing from the catalog": {map[string]string{"m.yaml": "name: x\nextends: rolout\n"},
			[]string{`m.yaml:2:10: extends: "rolout": no such scenario: did you mean rollout?; want one of `}},
		"missing file": {map[string]string{"m.yaml": "name: x\nextends: ./rollout\n"},
			[]string{`m.yaml:2:10: extends: "./rollout": no such file or directory: want one of `}},
		"missing, and others": {map[string]string{"m.yaml": "name: x\nextends: no.yaml\nseed: a\nload: {rate: 5/s}\n"},
			[]string{`m.yaml:2:10: extends: "no.yaml"`, `m.yaml:3:7: seed: "a"`}},
		"a directory": {map[string]string{"m.yaml": "name: x\nextends: ./d\n", "d/e": ""},
			[]string{`m.yaml:2:10: extends: "./d": no regular file: want`}},
		"no text": {map[string]string{"m.yaml": "name: x\nextends: [a]\n"},
			[]string{`m.yaml:2:10: extends: a list: want one of`}},
		"nothing": {map[string]string{"m.yaml": "name: x\nextends:\n"},
			[]string{`m.yaml:2:8: extends: nothing: want one of`}},
		"twice": {map[string]string{"m.yaml": "name: x\nextends: rollout\nextends: million\n"},
			[]string{`m.yaml:3:1: extends: the key stands here a second time`}},
		"itself": {map[string]string{"m.yaml": "name: x\nextends: m.yaml\n"},
			[]string{`m.yaml:2:10: extends: "m.yaml": goes in a circle, m.yaml to m.yaml: want`}},
		"a circle": {map[string]string{"m.yaml": "name: x\nextends: d/a.yaml\n", "d/a.yaml": "extends: b.yaml\n",
			"d/b.yaml": "extends: ../d/../m.yaml\n"},
			[]string{`d/b.yaml:1:10: extends: "../d/../m.yaml": goes in a circle, m.yaml to d/a.yaml to d/b.yaml to m.yaml: want`}},
		"a circle beside": {map[string]string{"m.yaml": "name: x\nextends: a.yaml\n", "a.yaml": "extends: b.yaml\n",
			"b.yaml": "extends: a.yaml\n"},
			[]string{`b.yaml:1:10: extends: "a.yaml": goes in a circle, a.yaml to b.yaml to a.yaml: want`}},
		"too deep": {withFile(chained(9), "m.yaml", "name: m\nextends: 2.yaml\n"),
			[]string{`9.yaml:2:10: extends: "10.yaml": would be the 9th base`}},

		"no name": {map[string]string{"m.yaml": "seed: 3\nextends: rollout\n"},
			[]string{`m.yaml:2:10: name: is not inherited: want one of its own`}},
		"the base's": {map[string]string{"m.yaml": "extends: rollout\nname: rollout\n"},
			[]string{`m.yaml:2:7: name: "rollout": is that of its base: want one of its own`}},
		"no fit name": {map[string]string{"m.yaml": "extends: rollout\nname: Mine\n"},
			[]string{`m.yaml:2:7: name: "Mine": want 1 to 64`}},
		"unread name": {map[string]string{"m.yaml": "extends: rollout\nname: 3\n"},
			[]string{`m.yaml:2:7: name: "3": want text`}},
		"base not YAML": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nseed: a\n", "b.yaml": "a: [\n"},
			[]string{`m.yaml:3:7: seed: "a"`, `b.yaml:1:4: not YAML`}},
		"empty base": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\n", "b.yaml": ""},
			[]string{`b.yaml: is empty`}},
		"typo in a base": {map[string]string{"m.yaml": "name: x\nwarmup: -1\nextends: b.yaml\n",
			"b.yaml": "\nload: {wrkers: 3}\nseed: a\n"},
			[]string{`m.yaml:2:9: warmup: -1`, `b.yaml:2:8: load: unknown key "wrkers"`, `b.yaml:3:7: seed`}},

		"of the base": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nfleet: {addressing: port}\n",
			"b.yaml": "fleet:\n  devices: 6000\n"},
			[]string{`b.yaml:2:12: fleet.devices: 6000: addressing port holds at most 5000`}},
		"of a catalog": {map[string]string{"m.yaml": "name: x\nextends: million\nfleet: {addressing: port}\n"},
			[]string{`catalog/million.yaml:9:12: fleet.devices: 1000000: addressing port holds`}},
		"of the variant": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nfleet: {devices: 6000}\n",
			"b.yaml": "fleet:\n  addressing: port\n"},
			[]string{`m.yaml:3:18: fleet.devices: 6000: addressing port holds at most 5000`}},
		"in a list": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nfleet: {groups: [{name: a, share: 1}, {share: 0}]}\n", "b.yaml": "fleet:\n  groups:\n    - {name: a, share: 5%}\n    - {name: b, share: 5%}\n"}, []string{`m.yaml:3:39: fleet.groups[1].name: ""`, `m.yaml:3:47: fleet.groups[1].share: 0: want above`}},
		"unused": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nload: {model: closed, rate: 5/s}\n",
			"b.yaml": "load: {model: constant, rate: 4/s}\n"},
			[]string{`m.yaml:3:29: load.rate: 5/s: the closed model has no use for it`}},
		"wanting": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nload: {model: constant}\n",
			"b.yaml": "load: {duration: 5s}\n"}, []string{`m.yaml:3:15: load.rate: 0/s: the constant model wants a rate`}},
		"model of the base": {map[string]string{"m.yaml": "name: x\nextends: b.yaml\nload: {think: 5ms}\n",
			"b.yaml": "load: {model: constant, rate: 5/s}\n"},
			[]string{`m.yaml:3:15: load.think: 5ms: the constant model has no use for it`}},
	} {
		t.Run(name, func(t *testing.T) {
			inFiles(t, row.files)
			_, err := LoadFile("m.yaml")
			require.Error(t, err)
			said := strings.Split(err.Error(), "\n")
			require.Len(t, said, len(row.want), "%s", err)
			for i, want := range row.want {
				require.True(t, strings.HasPrefix(said[i], "scenario "+want), "said %s\nwant %s", said[i], want)
			}
			for _, mistake := range Problems("m.yaml", err) {
				if mistake.Line > 0 {
					require.Regexp(t, `\n +\^(\n|$)`, mistake.Excerpt())
				}
			}
		})
	}
	inFiles(t, chained(8))
	_, err := LoadFile("1.yaml")
	require.NoError(t, err, "the longest chain that is allowed")
	s := Default()
	require.EqualError(t, s.Set("extends=rollout"),
		"extends: a base is named in a file: want a file that says extends: rollout")
	src, err := newSource("catalog/x.yaml", []byte("name: x\nextends: ./rollout.yaml\n"))
	require.NoError(t, err)
	src.fromCatalog = true
	_, err = src.spec()
	require.ErrorContains(t, err, `extends: "./rollout.yaml": a file: want a name of the catalog`)
}

func withFile(files map[string]string, name, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = text
	return files
}
