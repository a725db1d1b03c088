package mockfleet

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// stageOf returns the stage of device i and its version in the ledger.
func stageOf(t testing.TB, f *Fleet, i int) (ledger.Stage, string) {
	t.Helper()
	d, err := f.Device(i)
	require.NoError(t, err)
	return d.Stage, d.Version
}

// TestADeviceGoesThroughItsStages checks that a device goes through its stages by itself, at the
// times that its behavior gives them.
func TestADeviceGoesThroughItsStages(t *testing.T) {
	type moment struct {
		at      time.Duration // since the update
		stage   ledger.Stage
		version string
	}
	minute := delayOf(t, time.Minute)
	both := behavior.InstallTimes{Install: minute, Reboot: minute}
	for name, test := range map[string]struct {
		life    behavior.InstallTimes
		faults  []fault.Fault
		status  int
		message string
		moments []moment
	}{
		"at once": {behavior.InstallTimes{}, nil, 200, "applied", []moment{{0, ledger.StageRunning, "2.0.0"}}},
		"installing": {behavior.InstallTimes{Install: minute}, nil, 202, "installing",
			[]moment{{59 * time.Second, ledger.StageInstalling, "1.0.0"}, {time.Minute, ledger.StageRunning, "2.0.0"}}},
		"rebooting": {behavior.InstallTimes{Reboot: minute}, nil, 202, "rebooting",
			[]moment{{59 * time.Second, ledger.StageRebooting, "2.0.0"}, {time.Minute, ledger.StageRunning, "2.0.0"}}},
		"both": {both, nil, 202, "installing",
			[]moment{{59 * time.Second, ledger.StageInstalling, "1.0.0"}, {time.Minute, ledger.StageRebooting, "2.0.0"},
				{119 * time.Second, ledger.StageRebooting, "2.0.0"}, {2 * time.Minute, ledger.StageRunning, "2.0.0"}}},
		"rolling back": {both, []fault.Fault{{Kind: "rollback", Delay: minute}}, 202, "installing",
			[]moment{{0, ledger.StageInstalling, "1.0.0"}, {time.Minute, ledger.StageRebooting, "2.0.0"},
				{2 * time.Minute, ledger.StageRunning, "2.0.0"}, {3 * time.Minute, ledger.StageRolledBack, "1.0.0"}}},
		"failing": {both, []fault.Fault{{Kind: "failed-install", Delay: minute}}, 202, "installing",
			[]moment{{59 * time.Second, ledger.StageInstalling, "1.0.0"}, {time.Minute, ledger.StageFailed, "1.0.0"},
				{time.Hour, ledger.StageFailed, "1.0.0"}}},
		"a longer reboot": {both, []fault.Fault{{Kind: "reboot", Delay: delayOf(t, time.Hour)}}, 202, "rebooting",
			[]moment{{59 * time.Second, ledger.StageInstalling, "1.0.0"}, {time.Minute, ledger.StageRebooting, "2.0.0"},
				{61 * time.Minute, ledger.StageRunning, "2.0.0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Devices: 1, Addressing: address.Port,
				Behavior: behavior.Behavior{Life: test.life, Faults: test.faults}}
			inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
				stage, version := stageOf(t, f, 0)
				require.Equal(t, moment{0, ledger.StageIdle, "1.0.0"}, moment{0, stage, version})
				begun := time.Now()
				var answer wire.UpdateAnswer
				require.Equal(t, test.status, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
				require.Equal(t, wire.UpdateAnswer{Success: true, Message: test.message, Size: 1, Digest: sha([]byte("x"))}, answer)
				for _, m := range test.moments {
					time.Sleep(time.Until(begun.Add(m.at))) // the bubble's clock
					synctest.Wait()
					stage, version := stageOf(t, f, 0)
					require.Equal(t, m, moment{m.at, stage, version})
				}
				e := entryOf(t, f, 0)
				balanced(t, e)
				require.Equal(t, e.Stage == ledger.StageFailed, e.InstallFailures == 1)
				f.Reset()
				stage, version = stageOf(t, f, 0)
				require.Equal(t, moment{0, ledger.StageIdle, "1.0.0"}, moment{0, stage, version})
				require.Equal(t, map[string]int{"1.0.0": 2}, f.store.Kept().Versions, "the table's own reference and the device's")
			})
		})
	}
}

// keptOf returns how many devices have a side state, and how many have a timer.
func keptOf(f *Fleet) [2]int {
	k := f.store.Kept()
	return [2]int{k.SideStates, k.Timers}
}

// TestNothingIsKeptOfADeviceThatIsIdleAgain checks that the side state of a device is dropped by
// itself once its lifecycle is over.
func TestNothingIsKeptOfADeviceThatIsIdleAgain(t *testing.T) {
	cfg := Config{Devices: 1, Addressing: address.Port,
		Behavior: behavior.Behavior{Life: behavior.InstallTimes{Install: delayOf(t, time.Second),
			Reboot: delayOf(t, time.Second)}}}
	inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
		var answer wire.UpdateAnswer
		require.Equal(t, 202, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
		require.Equal(t, [2]int{1, 1}, keptOf(f))
		time.Sleep(2 * time.Second) // the bubble's clock
		synctest.Wait()
		require.Equal(t, [2]int{}, keptOf(f))
	})
}

// TestADeviceThatFailedTakesTheNextUpdate checks that a device whose install failed accepts the
// next update, even if it is the same one.
func TestADeviceThatFailedTakesTheNextUpdate(t *testing.T) {
	cfg := Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "failed-install", First: 1, Delay: delayOf(t, time.Minute)})}
	inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
		var answer wire.UpdateAnswer
		var told wire.VersionAnswer
		request := string(pushRequest("/update", []byte("x")))
		require.Equal(t, 202, asked(t, client, request, &answer))
		require.Equal(t, 409, asked(t, client, request, &answer))
		asked(t, client, askVersion, &told)
		require.Equal(t, wire.StateInstalling, told.State)
		time.Sleep(time.Minute) // the bubble's clock
		asked(t, client, askVersion, &told)
		require.Equal(t, wire.VersionAnswer{DeviceID: address.DeviceID(0), Version: "1.0.0", State: wire.StateFailed}, told)
		require.Equal(t, 200, asked(t, client, request, &answer))
		require.Equal(t, "applied", answer.Message)
		asked(t, client, askVersion, &told)
		require.Equal(t, []string{"2.0.0", "idle"}, []string{told.Version, string(told.State)})
		e := entryOf(t, f, 0)
		balanced(t, e)
		require.Equal(t, []uint32{3, 1, 1, 1, 0},
			[]uint32{e.Pushes, e.Applied, e.InstallFailures, e.Rejected, e.AppliedTwice})
		require.Equal(t, map[string]uint32{"failed-install": 1}, e.Faults)
		require.Equal(t, ledger.StageRunning, e.Stage)
	})
}

// TestInstallTimesAreDrawnForEachUpdate checks that install and reboot times are drawn anew for
// each update, and depend on seed, device and attempt alone.
func TestInstallTimesAreDrawnForEachUpdate(t *testing.T) {
	install, err := random.Uniform(time.Second, time.Minute)
	require.NoError(t, err)
	reboot, err := random.Lognormal(time.Second, time.Minute)
	require.NoError(t, err)
	life := behavior.InstallTimes{Install: install, Reboot: reboot}
	seen := map[fault.Lifecycle]bool{}
	for device := range 3 {
		for attempt := range uint32(3) {
			c := life.Lifecycle(7, device, attempt)
			require.Equal(t, c, life.Lifecycle(7, device, attempt))
			require.NotEqual(t, c, life.Lifecycle(8, device, attempt))
			require.False(t, seen[c])
			seen[c] = true
		}
	}
}

// TestTheLedgerHasWhenADeviceWasContactedAndUpdated checks the two times of an entry, which a driver
// can compare with Status.SinceReset whatever its own clock says.
func TestTheLedgerHasWhenADeviceWasContactedAndUpdated(t *testing.T) {
	cfg := Config{Devices: 1, Addressing: address.Port,
		Behavior: behavior.Behavior{Life: behavior.InstallTimes{Install: delayOf(t, time.Minute), Reboot: delayOf(t, time.Hour)}}}
	inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
		times := func() [3]time.Duration {
			d, err := f.Device(0)
			require.NoError(t, err)
			return [3]time.Duration{time.Duration(d.ContactedNS), time.Duration(d.UpdatedNS), f.Status().SinceReset}
		}
		near := func(want [3]time.Duration) {
			t.Helper()
			for i, got := range times() {
				require.InDelta(t, want[i], got, float64(time.Millisecond), "%d", i)
			}
		}
		var told wire.VersionAnswer
		asked(t, client, askVersion, &told)
		f.Reset()
		time.Sleep(2 * time.Second) // the bubble's clock, here and below
		require.Equal(t, [3]time.Duration{0, 0, 2 * time.Second}, times())
		asked(t, client, askVersion, &told)
		time.Sleep(time.Second)
		near([3]time.Duration{2 * time.Second, 0, 3 * time.Second})
		var answer wire.UpdateAnswer
		require.Equal(t, 202, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
		near([3]time.Duration{2 * time.Second, 0, 3 * time.Second})
		time.Sleep(2 * time.Minute)
		near([3]time.Duration{2 * time.Second, 63 * time.Second, 123 * time.Second})
		f.Reset()
		require.Equal(t, [3]time.Duration{}, times())
	})
}
