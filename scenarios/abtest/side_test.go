package abtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestSide_adapt checks which process is a side's client, and that no scenario is measured in which
// both sides would have the same.
func TestSide_adapt(t *testing.T) {
	origin, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(origin, "bench"), 0o700))
	t.Chdir(origin)
	tree := &checkout.Tree{Origin: origin, Root: "/tree"}
	python := scenarios.ClientSpec{Command: []string{"python3", "push.py"}, Directory: "bench"}
	built := scenarios.ClientSpec{Command: []string{"{out}", "--log={out}.log"}}
	process := func(dir string, words ...string) scenarios.ClientSpec {
		return scenarios.ClientSpec{Command: words, Directory: dir}
	}
	service := func(dir string, start ...string) (c scenarios.ClientSpec) {
		c.Service = scenarios.ServiceSpec{Start: start, Directory: dir}
		return c
	}
	script := func(dir string) (c scenarios.ClientSpec) {
		trigger := scenarios.TriggerSpec{Command: []string{"./r.sh", "{devices}"}}
		c.Service = scenarios.ServiceSpec{Trigger: trigger, Directory: dir}
		return c
	}
	for name, c := range map[string]struct {
		side   Side
		client scenarios.ClientSpec
		want   scenarios.ClientSpec
		err    string
	}{
		"the driver's own":  {Side{Tree: tree, Built: "/out"}, scenarios.ClientSpec{}, scenarios.ClientSpec{}, ""},
		"one of the tree":   {Side{Tree: tree}, python, process("/tree/bench", python.Command...), ""},
		"one that is built": {Side{Tree: tree, Built: "/out"}, built, process("/tree", "/out", "--log=/out.log"), ""},
		"a command instead": {Side{Client: []string{"/push"}}, python, process("", "/push"), ""},
		"a service that is built": {Side{Tree: tree, Built: "/out"}, service("", "{out}", "-v"),
			service("/tree", "/out", "-v"), ""},
		"a service that is a file": {Side{Tree: tree}, service("bench", "./s"), service("/tree/bench", "./s"), ""},
		"a trigger":                {Side{Tree: tree}, script("bench"), script("/tree/bench"), ""},
		"a trigger elsewhere": {Side{Tree: tree}, script("/"), scenarios.ClientSpec{},
			"scenario x: its client.service runs in /, outside the repository, so both sides would be the same: " +
				"want a scenario in the repository whose client is compared"},
		"one that nothing builds": {Side{Tree: tree}, built, scenarios.ClientSpec{},
			"scenario x: client.command has {out}, and no build writes a program there: " +
				"want client.build in fleetmark.yaml, with {out}"},
		"one elsewhere": {Side{Tree: tree}, process("/", python.Command...), scenarios.ClientSpec{},
			"scenario x: its client.command runs in /, outside the repository, so both sides would be the same: " +
				"want a scenario in the repository whose client is compared"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.side.adapt(scenarios.Spec{Name: "x", Client: c.client})
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got.Client)
		})
	}
}
