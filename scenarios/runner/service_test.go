package runner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client/service"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

func TestMostAtOnce(t *testing.T) {
	const s = time.Second
	for name, row := range map[string]struct {
		devices []serviceDevice
		want    int
	}{
		"none":                       {nil, 0},
		"never contacted":            {[]serviceDevice{{}, {}}, 0},
		"one after another":          {[]serviceDevice{{contacted: 1 * s, updated: 2 * s}, {contacted: 3 * s, updated: 4 * s}}, 1},
		"together":                   {[]serviceDevice{{contacted: 1 * s, updated: 4 * s}, {contacted: 2 * s, updated: 3 * s}}, 2},
		"one that is never updated":  {[]serviceDevice{{contacted: 1 * s}, {contacted: 8 * s, updated: 9 * s}}, 2},
		"one ends as another begins": {[]serviceDevice{{contacted: 1 * s, updated: 2 * s}, {contacted: 2 * s, updated: 3 * s}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, mostAtOnce(row.devices, 10*s))
		})
	}
}

// fiveDevices is a list of device-0 to device-4.
type fiveDevices struct{}

func (fiveDevices) Len() int { return 5 }
func (fiveDevices) At(i int) delivery.Device {
	return delivery.Device{ID: fmt.Sprintf("device-%d", i), Address: "http://127.0.0.1"}
}

// TestServiceIsComparedWithTheLedger compares what a service says with a ledger in which device 0 and
// device 1 run the update, device 2 another version, device 3 was pushed to in vain, and device 4 was
// never contacted.
func TestServiceIsComparedWithTheLedger(t *testing.T) {
	u := newUpdate(t, "new firmware")
	right := u.Artifact().DigestHex()
	of := func(i int, version string, n uint32) ledger.Entry {
		return ledger.Entry{Device: i, Version: version, Digest: right, Counts: ledger.Counts[uint32]{Pushes: 1, Applied: n}}
	}
	usual := []ledger.Entry{of(0, "2.0.0", 1), of(1, "2.0.0", 1), of(2, "1.9.0", 1), of(3, "1.0.0", 0)}
	twice := []ledger.Entry{of(0, "2.0.0", 2), of(1, "2.0.0", 1), of(2, "2.0.0", 1), of(3, "2.0.0", 1), of(4, "2.0.0", 1)}
	twice[0].AppliedTwice = 1
	twice[3].Misdirected = 2
	for name, row := range map[string]struct {
		said    service.Said
		entries []ledger.Entry
		want    results.Counts
		says    []string
	}{
		"it says nothing": {service.Said{Began: true}, usual, results.Counts{Devices: 5, Updated: 2, Failed: 3}, nil},
		"it says that it is over": {service.Said{Over: true}, usual, results.Counts{Devices: 5, Updated: 2, Lost: 3},
			[]string{"the service says that the rollout is over, and 3 of 5 devices do not run the update: " +
				`device-2 runs "1.9.0", not "2.0.0", device-3 took none of 1 push, device-4 was never contacted`}},
		"its command failed": {service.Said{Over: true, Gave: "rollout.sh ended (exit status 1)"}, usual,
			results.Counts{Devices: 5, Updated: 2, Failed: 3}, nil},
		"it names some that failed": {service.Said{Over: true, Failed: 2, FailedIDs: []string{"device-2", "device-3"}}, usual,
			results.Counts{Devices: 5, Updated: 2, Failed: 2, Lost: 1},
			[]string{"the service says that the rollout is over but for 2 devices, and 1 of 5 devices do not run the update: " +
				"device-4 was never contacted"}},
		"it counts those that failed": {service.Said{Over: true, Failed: 3}, usual, results.Counts{Devices: 5, Updated: 2, Failed: 3}, nil},
		"it names one that runs it": {service.Said{Over: true, Failed: 4, FailedIDs: []string{"device-1", "device-2", "device-3", "device-4"}},
			usual, results.Counts{Devices: 5, Updated: 2, Failed: 3}, nil},
		"twice, and to others": {service.Said{Over: true}, twice, results.Counts{Devices: 5, Updated: 5, AppliedTwice: 1},
			[]string{"applied the same update twice: device-0 (1 times too often)",
				"got pushes that were meant for another device: device-3"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &serviceRollout{said: row.said, devices: []serviceDevice{
				{updated: 1}, {updated: 1}, {contacted: 1, wrong: wrongSoftware(usual[2], u)}, {contacted: 1, wrong: wrongSoftware(usual[3], u)},
				{wrong: "was never contacted"},
			}}
			entries := func(yield func(ledger.Entry, error) bool) {
				for _, e := range row.entries {
					if !yield(e, nil) {
						return
					}
				}
			}
			counts, says, err := r.compare(t.Context(), &claims{Outcomes: load.NewOutcomes(5)}, fiveDevices{},
				iter.Seq2[ledger.Entry, error](entries), u)
			require.NoError(t, err)
			require.Equal(t, row.want, counts.Counts)
			require.Equal(t, row.says, says)
			m := &measured{}
			(&serviceClient{last: r}).check(m, fiveDevices{})
			named := slices.Contains(row.said.FailedIDs, "device-1")
			require.Equal(t, named, slices.Contains(m.notes,
				"the service says that 1 device failed, and the ledger that they run the update: device-1"), "%s", m.notes)
		})
	}
}

// serviceSpec returns a small scenario of a service whose trigger is a command.
func serviceSpec(command ...string) scenarios.Spec {
	s := small()
	s.Client = scenarios.ClientSpec{Transport: s.Client.Transport, Service: scenarios.ServiceSpec{
		Trigger: scenarios.TriggerSpec{Command: command}, Done: scenarios.DoneByExit,
	}}
	s.Load = scenarios.LoadSpec{Model: scenarios.Service, Operation: delivery.OpDeliver}
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	return s
}

// TestServiceNeedsALedger checks that no rollout is begun on a fleet whose ledger can't be read.
func TestServiceNeedsALedger(t *testing.T) {
	s := serviceSpec("true")
	f, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	o := options(t, s)
	o.Target.Address = f.Ready().Address
	_, err = Run(t.Context(), o)
	var refused *scenarios.OptionError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "Target.Control", refused.Option)
	require.NoDirExists(t, o.Out)
	require.NoError(t, f.Close())
}

// TestLongest_service checks that the times of devices that are updated as the deadline passes are
// recorded.
func TestLongest_service(t *testing.T) {
	s := serviceSpec("true")
	s.Client.Service.Deadline = scenarios.Duration(time.Hour)
	require.Greater(t, longest(s), time.Hour+settleTime)
}

// TestAnInterruptedServiceContradictsNothing checks that a rollout that was broken off isn't held
// against the service.
func TestAnInterruptedServiceContradictsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := newUpdate(t, "new firmware")
	r := &serviceRollout{said: service.Said{Over: true}, devices: make([]serviceDevice, 5)}
	none := func(func(ledger.Entry, error) bool) {}
	counts, says, err := r.compare(ctx, &claims{Outcomes: load.NewOutcomes(5)}, fiveDevices{}, none, u)
	require.NoError(t, err)
	require.Empty(t, says)
	require.Equal(t, results.Counts{Devices: 5}, counts.Counts)
}

func newUpdate(t *testing.T, content string) *delivery.Update {
	t.Helper()
	artifact, err := delivery.NewArtifact(t.Context(), strings.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	u, err := delivery.NewUpdate("2.0.0", artifact)
	require.NoError(t, err)
	return u
}
