package mockfleet

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// stageOf is the stage of device i, and what the ledger has of its version.
func stageOf(t testing.TB, f *Fleet, i int) (Stage, string) {
	t.Helper()
	d, err := f.Device(i)
	require.NoError(t, err)
	return d.Stage, d.Version
}

// A device goes through its stages by itself, at the times that its behaviour gives them.
func TestADeviceGoesThroughItsLife(t *testing.T) {
	type moment struct {
		at      time.Duration // since the update
		stage   Stage
		version string
	}
	minute := delayOf(t, time.Minute)
	both := Life{Install: minute, Reboot: minute}
	for name, test := range map[string]struct {
		life    Life
		faults  []Fault
		status  int
		message string
		moments []moment
	}{
		"at once":      {Life{}, nil, 200, "applied", []moment{{0, StageRunning, "2.0.0"}}},
		"installing":   {Life{Install: minute}, nil, 202, "installing", []moment{{59 * time.Second, StageInstalling, "1.0.0"}, {time.Minute, StageRunning, "2.0.0"}}},
		"rebooting":    {Life{Reboot: minute}, nil, 202, "rebooting", []moment{{59 * time.Second, StageRebooting, "2.0.0"}, {time.Minute, StageRunning, "2.0.0"}}},
		"both":         {both, nil, 202, "installing", []moment{{59 * time.Second, StageInstalling, "1.0.0"}, {time.Minute, StageRebooting, "2.0.0"}, {119 * time.Second, StageRebooting, "2.0.0"}, {2 * time.Minute, StageRunning, "2.0.0"}}},
		"rolling back": {both, []Fault{{Kind: "rollback", Delay: minute}}, 202, "installing", []moment{{0, StageInstalling, "1.0.0"}, {time.Minute, StageRebooting, "2.0.0"}, {2 * time.Minute, StageRunning, "2.0.0"}, {3 * time.Minute, StageRolledBack, "1.0.0"}}},
		"failing":      {both, []Fault{{Kind: "failed-install", Delay: minute}}, 202, "installing", []moment{{59 * time.Second, StageInstalling, "1.0.0"}, {time.Minute, StageFailed, "1.0.0"}, {time.Hour, StageFailed, "1.0.0"}}},
		"a longer reboot": {both, []Fault{{Kind: "reboot", Delay: delayOf(t, time.Hour)}}, 202, "rebooting",
			[]moment{{59 * time.Second, StageInstalling, "1.0.0"}, {time.Minute, StageRebooting, "2.0.0"}, {61 * time.Minute, StageRunning, "2.0.0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Devices: 1, Addressing: AddressPort, Behavior: Behavior{Life: test.life, Faults: test.faults}}
			inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
				stage, version := stageOf(t, f, 0)
				require.Equal(t, moment{0, StageIdle, "1.0.0"}, moment{0, stage, version})
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
				require.Equal(t, e.Stage == StageFailed, e.Unfit == 1)
				f.Reset()
				stage, version = stageOf(t, f, 0)
				require.Equal(t, moment{0, StageIdle, "1.0.0"}, moment{0, stage, version})
				used := 0
				for i := range f.store.versions.slots {
					if n := f.store.versions.slots[i].refs.Load(); n != 0 {
						require.EqualValues(t, []int{2}, []int{int(n)}, "the table's own reference and the device's")
						used++
					}
				}
				require.Equal(t, 1, used)
			})
		})
	}
}

// keptOf is how many devices something is kept of beside their records, and how many are on the agenda.
func keptOf(f *Fleet) (n [2]int) {
	for i := range f.store.shards {
		sh := &f.store.shards[i]
		sh.mu.Lock()
		n[0] += len(sh.troubles)
		sh.mu.Unlock()
	}
	f.store.agenda.mu.Lock()
	defer f.store.agenda.mu.Unlock()
	n[1] = len(f.store.agenda.list)
	return n
}

// What the fleet keeps of a device while it goes through something is dropped by itself afterwards.
func TestNothingIsKeptOfADeviceThatIsIdleAgain(t *testing.T) {
	cfg := Config{Devices: 1, Addressing: AddressPort, Behavior: Behavior{Life: Life{Install: delayOf(t, time.Second), Reboot: delayOf(t, time.Second)}}}
	inBubble(t, cfg, func(t *testing.T, f *Fleet, client net.Conn) {
		var answer wire.UpdateAnswer
		require.Equal(t, 202, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
		require.Equal(t, [2]int{1, 1}, keptOf(f))
		time.Sleep(2 * time.Second) // the bubble's clock
		synctest.Wait()
		require.Equal(t, [2]int{}, keptOf(f))
	})
}

// A device that failed takes the next update, also the same one.
func TestADeviceThatFailedTakesTheNextUpdate(t *testing.T) {
	cfg := Config{Devices: 1, Addressing: AddressPort, Behavior: withFaults(Fault{Kind: "failed-install", First: 1, Delay: delayOf(t, time.Minute)})}
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
		require.Equal(t, wire.VersionAnswer{DeviceID: DeviceID(0), Version: "1.0.0", State: wire.StateFailed}, told)
		require.Equal(t, 200, asked(t, client, request, &answer))
		require.Equal(t, "applied", answer.Message)
		asked(t, client, askVersion, &told)
		require.Equal(t, []string{"2.0.0", "idle"}, []string{told.Version, string(told.State)})
		e := entryOf(t, f, 0)
		balanced(t, e)
		require.Equal(t, []uint32{3, 1, 1, 1, 0}, []uint32{e.Pushes, e.Applied, e.Unfit, e.Rejected, e.AppliedTwice})
		require.Equal(t, map[string]uint32{"failed-install": 1}, e.Faults)
		require.Equal(t, StageRunning, e.Stage)
	})
}

// Times of a life are drawn anew for each update, and depend on seed, device and attempt alone.
func TestALifeIsDrawnForEachUpdate(t *testing.T) {
	install, err := Uniform(time.Second, time.Minute)
	require.NoError(t, err)
	reboot, err := Lognormal(time.Second, time.Minute)
	require.NoError(t, err)
	life := Life{Install: install, Reboot: reboot}
	seen := map[passage]bool{}
	for device := range 3 {
		for attempt := range uint32(3) {
			c := life.passage(7, device, attempt)
			require.Equal(t, c, life.passage(7, device, attempt))
			require.NotEqual(t, c, life.passage(8, device, attempt))
			require.False(t, seen[c])
			seen[c] = true
		}
	}
}
