package mockfleet

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

func TestTheLedgerAnswersQueries(t *testing.T) {
	f := startFleet(t, Config{Devices: 20, Addressing: address.Path, Seed: 3, Groups: []behavior.Group{
		{Name: "broken", Share: 0.2, Behavior: withFaults(fault.Fault{Kind: "status-500"})},
	}})
	client, control := newClient(t), openControl(t, f)
	broken := membersOf(f, "broken")
	for i := range 15 {
		version := "2.0.0"
		if i >= 10 {
			version = "3.0.0"
		}
		update{artifact: []byte("x"), version: version, key: "k"}.send(t, client, f.DeviceAddress(i))
	}
	hit, running, idle, second := []int{}, []int{}, []int{}, []int{}
	for i := range 20 {
		_, isBroken := find(broken, i)
		switch {
		case i < 15 && isBroken:
			hit = append(hit, i)
		case i < 15:
			running = append(running, i)
			if i < 10 {
				second = append(second, i)
			}
		}
		if isBroken || i >= 15 {
			idle = append(idle, i)
		}
	}
	require.NotEmpty(t, hit)
	touched := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for name, test := range map[string]struct {
		query ledger.Query
		want  []int
	}{
		"everything":     {ledger.Query{}, touched},
		"also untouched": {ledger.Query{All: true}, append(touched, 15, 16, 17, 18, 19)},
		"a group":        {ledger.Query{Group: "broken", All: true}, broken},
		"a whole fleet":  {ledger.Query{Group: behavior.AllGroups}, touched},
		"a stage":        {ledger.Query{Stage: ledger.StageRunning}, running},
		"idle":           {ledger.Query{Stage: ledger.StageIdle, All: true}, idle},
		"a fault":        {ledger.Query{Fault: "status-500"}, hit},
		"another fault":  {ledger.Query{Fault: "status-503"}, nil},
		"a version":      {ledger.Query{Version: "2.0.0"}, second},
		"has":            {ledger.Query{Has: "rejected"}, hit},
		"lacks":          {ledger.Query{Lacks: "applied"}, hit},
		"lacks in all":   {ledger.Query{Lacks: "applied", All: true}, idle},
		"from":           {ledger.Query{From: 13}, []int{13, 14}},
		"to":             {ledger.Query{To: 2}, []int{0, 1}},
		"beyond":         {ledger.Query{From: 30, To: 40}, nil},
		"a limit":        {ledger.Query{From: 3, Limit: 2}, []int{3, 4}},
		"several together": {ledger.Query{Stage: ledger.StageRunning, Version: "3.0.0", Has: "applied",
			Lacks: "connections_aborted", To: 13}, only(running, 10, 13)},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := f.Find(test.query)
			require.NoError(t, err)
			var got []int
			for e := range entries {
				got = append(got, e.Device)
			}
			require.Equal(t, len(test.want), len(got))
			require.ElementsMatch(t, test.want, got)
			var told []int
			for e, err := range control.Find(t.Context(), test.query) {
				require.NoError(t, err)
				told = append(told, e.Device)
			}
			require.Equal(t, got, told, "over the control port")
			again, err := ledger.ParseQuery(test.query.Values())
			require.NoError(t, err)
			require.Equal(t, test.query, again)
		})
	}
	s, err := f.Summarize(ledger.Query{All: true})
	require.NoError(t, err)
	require.EqualValues(t, 20, s.Devices)
	require.EqualValues(t, 15, s.Counts["pushes"])
	require.EqualValues(t, len(running), s.Counts["applied"])
	require.Equal(t, map[ledger.Stage]uint64{ledger.StageIdle: uint64(len(idle)),
		ledger.StageRunning: uint64(len(running))}, s.Stages)
	require.Equal(t, map[string]uint64{"status-500": uint64(len(hit))}, s.Faults)
	require.Equal(t, map[string]uint64{"1.0.0": uint64(len(idle)), "2.0.0": uint64(len(second)),
		"3.0.0": uint64(len(running) - len(second))}, s.Versions)
}

func find(list []int, wanted int) (int, bool) {
	for at, i := range list {
		if i == wanted {
			return at, true
		}
	}
	return 0, false
}

func only(list []int, from, to int) (some []int) {
	for _, i := range list {
		if from <= i && i < to {
			some = append(some, i)
		}
	}
	return some
}

func TestAnInvalidQueryIsRefused(t *testing.T) {
	f := startFleet(t, Config{Devices: 2, Addressing: address.Path})
	for text, want := range map[string]string{
		"stage=asleep":    `stage: "asleep": want one of [idle receiving`,
		"fault=tired":     `fault: "tired": want one of refuse`,
		"group=slow":      `group: "slow": want one of all, rest`,
		"has=luck":        `has: "luck": want one of pushes, applied`,
		"lacks=luck":      `lacks: "luck": want one of pushes, applied`,
		"from=-1":         `from: -1: want 0 or more`,
		"limit=-1":        `limit: -1: want 0 or more`,
		"to=x":            `to: "x": want a whole number`,
		"all=some":        `all: "some": want true or false`,
		"colour=red":      `query: "colour": want one of group, stage`,
		"from=1&from=2":   `from: 2 times: want it once`,
		"from=1&colour=x": `query: "colour"`,
	} {
		values, err := url.ParseQuery(text)
		require.NoError(t, err)
		q, err := ledger.ParseQuery(values)
		if err == nil {
			_, err = f.Find(q)
		}
		var bad *ConfigError
		require.True(t, errors.As(err, &bad), text)
		require.ErrorContains(t, err, want)
	}
}
