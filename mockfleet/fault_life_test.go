package mockfleet

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// asked sends a request over an in-memory connection, decodes the answer into into, and returns its
// status.
func asked(t *testing.T, client net.Conn, request string, into any) int {
	t.Helper()
	_, err := io.WriteString(client, request)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
	return response.StatusCode
}

const askVersion = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"

func TestADeviceInstallsForAWhile(t *testing.T) {
	b := withFaults(fault.Fault{Kind: "status-202", First: 1, Delay: delayOf(t, time.Minute)})
	inBubble(t, Config{Devices: 1, Addressing: address.Port, Behavior: b}, func(t *testing.T, f *Fleet, client net.Conn) {
		var answer wire.UpdateAnswer
		var told wire.VersionAnswer
		require.Equal(t, 202, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
		require.True(t, answer.Success)
		require.Equal(t, "installing", answer.Message)
		time.Sleep(time.Minute - time.Millisecond) // the bubble's clock
		asked(t, client, askVersion, &told)
		require.Equal(t, wire.VersionAnswer{DeviceID: address.DeviceID(0), Version: "1.0.0", State: wire.StateInstalling},
			told)
		require.Equal(t, "1.0.0", entryOf(t, f, 0).Version)
		require.Equal(t, 409, asked(t, client, string(pushRequest("/update", []byte("y"))), &answer))
		time.Sleep(time.Millisecond)
		asked(t, client, askVersion, &told)
		require.Equal(t, []string{"2.0.0", sha([]byte("x")), "idle"}, []string{told.Version, told.Digest, string(told.State)})
		require.Equal(t, 422, asked(t, client, string(pushRequest("/update", []byte("y"))), &answer))
		e := entryOf(t, f, 0)
		balanced(t, e)
		require.Equal(t, []uint32{3, 1, 2}, []uint32{e.Pushes, e.Applied, e.Rejected})
	})
}

func TestADeviceRollsBack(t *testing.T) {
	for name, delay := range map[string]time.Duration{"after a version request": 0, "after a while": time.Minute} {
		t.Run(name, func(t *testing.T) {
			b := withFaults(fault.Fault{Kind: "rollback", First: 2, Delay: delayOf(t, delay)})
			inBubble(t, Config{Devices: 1, Addressing: address.Port, Behavior: b},
				func(t *testing.T, f *Fleet, client net.Conn) {
					var answer wire.UpdateAnswer
					for round := range 3 {
						require.Equal(t, 200, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
						for look := range 3 {
							var told wire.VersionAnswer
							asked(t, client, askVersion, &told)
							if back := look > 0 && round < 2; back {
								require.Equal(t, []string{"1.0.0", ""}, []string{told.Version, told.Digest})
							} else {
								require.Equal(t, []string{"2.0.0", sha([]byte("x"))}, []string{told.Version, told.Digest})
							}
							time.Sleep(delay)
						}
					}
					e := entryOf(t, f, 0)
					require.Equal(t, []uint32{3, 3, 0}, []uint32{e.Pushes, e.Applied, e.AppliedTwice})
					require.Equal(t, map[string]uint32{"rollback": 2}, e.Faults)
					require.EqualValues(t, 1, f.Status().Updated)
				})
		})
	}
}

func TestADeviceReportsFalsely(t *testing.T) {
	f := startFleet(t, Config{Devices: 2, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "wrong-version", First: 1}, fault.Fault{Kind: "wrong-digest", First: 2},
		fault.Fault{Kind: "wrong-device", First: 3},
	)})
	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("x")))), "200 OK")
	right := wire.VersionAnswer{DeviceID: address.DeviceID(0), Version: "2.0.0", Digest: sha([]byte("x")),
		State: wire.StateIdle}
	var told [4]wire.VersionAnswer
	client := newClient(t)
	for i := range told {
		told[i] = getVersion(t, client, f.DeviceAddress(0))
		require.NotEmpty(t, told[i].UpdatedAt)
		told[i].UpdatedAt = ""
	}
	want := [4]wire.VersionAnswer{right, right, right, right}
	want[0].Version = "0.0.0-wrong"
	want[1].Digest = told[1].Digest
	require.NotEqual(t, right.Digest, told[1].Digest)
	require.Len(t, told[1].Digest, 64)
	want[2].DeviceID = address.DeviceID(1)
	require.Equal(t, want, told)
	e := entryOf(t, f, 0)
	require.Equal(t, []string{right.Version, right.Digest}, []string{e.Version, e.Digest}, "the ledger knows better")
	require.Equal(t, map[string]uint32{"wrong-version": 1, "wrong-digest": 1, "wrong-device": 1}, e.Faults)
}
