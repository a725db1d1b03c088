package mockfleet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// TestOutcomesOfPushes checks sequences of pushes to one device. Each runs with an artifact
// that fits into the read buffer and with one that doesn't, since different code receives these.
func TestOutcomesOfPushes(t *testing.T) {
	type step struct {
		update
		status  int
		message string
	}
	small, large := []byte("one"), bytes.Repeat([]byte("one"), 100_000)
	for size, artifact := range map[string][]byte{"small": small, "large": large} {
		other := append([]byte("another "), artifact...)
		tests := []struct {
			name  string
			steps []step
			want  ledger.Entry // its counts and version
		}{
			{"applied", []step{
				{update{artifact: artifact, version: "2"}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1}, Version: "2", Digest: sha(artifact)}},
			{"the same key is a repeat", []step{
				{update{artifact: artifact, version: "2", key: "k"}, 200, "applied"},
				{update{artifact: artifact, version: "2", key: "k"}, 200, "already"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 2, Applied: 1, Repeats: 1}, Version: "2",
				Digest: sha(artifact)}},
			{"without a key, the same content is a repeat", []step{
				{update{artifact: artifact, version: "2"}, 200, "applied"},
				{update{artifact: artifact, version: "2"}, 200, "already"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 2, Applied: 1, Repeats: 1}, Version: "2",
				Digest: sha(artifact)}},
			{"another key installs again", []step{
				{update{artifact: artifact, version: "2", key: "k"}, 200, "applied"},
				{update{artifact: artifact, version: "2", key: "l"}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 2, Applied: 2, AppliedTwice: 1}, Version: "2",
				Digest: sha(artifact)}},
			{"an older update comes back", []step{
				{update{artifact: artifact, version: "2", key: "k"}, 200, "applied"},
				{update{artifact: other, version: "3", key: "l"}, 200, "applied"},
				{update{artifact: artifact, version: "2", key: "k"}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 3, Applied: 3}, Version: "2", Digest: sha(artifact)}},
			{"the same content as another version", []step{
				{update{artifact: artifact, version: "2"}, 200, "applied"},
				{update{artifact: artifact, version: "3"}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 2, Applied: 2}, Version: "3", Digest: sha(artifact)}},
			{"a key of another artifact", []step{
				{update{artifact: artifact, version: "2", key: "k"}, 200, "applied"},
				{update{artifact: other, version: "2", key: "k"}, 422, "the idempotency key belongs to another update"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 2, Applied: 1, Rejected: 1}, Version: "2",
				Digest: sha(artifact)}},
			{"no version", []step{
				{update{artifact: artifact}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1}, Version: "sha256-" + sha(artifact)[:12],
				Digest: sha(artifact)}},
			{"the announced digest", []step{
				{update{artifact: artifact, version: "2", digest: reprDigest(artifact)}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1}, Version: "2", Digest: sha(artifact)}},
			{"another digest than announced", []step{
				{update{artifact: artifact, version: "2", digest: reprDigest(other)}, 400,
					"the artifact does not have the announced digest"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"a digest by another algorithm", []step{
				{update{artifact: artifact, version: "2", digest: "md5=:AAAA:"}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1}, Version: "2", Digest: sha(artifact)}},
			{"a malformed digest", []step{
				{update{artifact: artifact, version: "2", digest: "sha-256=abc"}, 400,
					"the repr-digest is not sha-256=:BASE64: as in RFC 9530"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"a version of 129 bytes", []step{
				{update{artifact: artifact, version: strings.Repeat("v", 129)}, 400, "the version is longer than 128 bytes"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"a version that is not UTF-8", []step{
				{update{artifact: artifact, version: "2\xff"}, 400, "the version is not UTF-8"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"a version with a C1 control character", []step{
				{update{artifact: artifact, version: "2\u0085"}, 400, "the version has a control character"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"a device id of 129 bytes", []step{
				{update{artifact: artifact, id: strings.Repeat("d", 129)}, 400,
					"the device id is longer than 128 bytes or has a control character"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1, Misdirected: 1}, Version: "1.0.0"}},
			{"a key of 256 bytes", []step{
				{update{artifact: artifact, key: strings.Repeat("k", 256)}, 400,
					"the idempotency key is longer than 255 bytes or has a control character"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Rejected: 1}, Version: "1.0.0"}},
			{"the name of another device", []step{
				{update{artifact: artifact, version: "2", id: address.DeviceID(1)}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1, Misdirected: 1}, Version: "2",
				Digest: sha(artifact)}},
			{"a version that JSON must escape", []step{
				{update{artifact: artifact, version: `2"\é`}, 200, "applied"},
			}, ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1}, Version: `2"\é`, Digest: sha(artifact)}},
		}
		for _, test := range tests {
			t.Run(size+"/"+test.name, func(t *testing.T) {
				f := startFleet(t, Config{Devices: 2, Addressing: address.Path})
				client := newClient(t)
				for _, s := range test.steps {
					status, answer := s.send(t, client, f.DeviceAddress(0))
					require.Equal(t, s.message, answer.Message)
					require.Equal(t, s.status, status)
					require.Equal(t, status == http.StatusOK, answer.Success)
					// The body of a push that is refused for its head may stay unread.
					if status == http.StatusOK {
						require.EqualValues(t, len(s.artifact), answer.Size)
						require.Equal(t, sha(s.artifact), answer.Digest)
					}
				}
				got := entryOf(t, f, 0)
				require.Equal(t, got.Version, getVersion(t, client, f.DeviceAddress(0)).Version)
				require.Equal(t, got.UpdatedAt == "", got.Digest == "")
				want := test.want
				want.ID, want.State, want.Stage = address.DeviceID(0), wire.StateIdle, ledger.StageIdle
				if want.Applied > 0 {
					want.Stage = ledger.StageRunning
				}
				want.BytesReceived, want.UpdatedAt = got.BytesReceived, got.UpdatedAt
				want.ContactedNS, want.UpdatedNS = got.ContactedNS, got.UpdatedNS
				require.Equal(t, want, got)
			})
		}
	}
}

func TestFailFirstCountsEachDevicesAttempts(t *testing.T) {
	f := startFleet(t, Config{Devices: 3, Addressing: address.Path,
		Behavior: behavior.Behavior{FailFirst: 2, FailStatus: 502}})
	client := newClient(t)
	push := func(i int) int {
		status, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(i))
		return status
	}
	for i := range 2 {
		require.Equal(t, []int{502, 502, 200, 200}, []int{push(i), push(i), push(i), push(i)})
		e := entryOf(t, f, i)
		require.Equal(t, []uint32{4, 2, 2, 1, 1}, []uint32{e.Pushes, e.Rejected, e.ForcedRejects, e.Applied, e.Repeats})
	}
	require.NoError(t, f.SetFaults(2, behavior.Behavior{FailFirst: 1}))
	require.Equal(t, []int{503, 200}, []int{push(2), push(2)})
	f.Reset()
	require.Equal(t, []int{502, 503, 502, 200}, []int{push(0), push(2), push(0), push(2)})
	require.NoError(t, f.SetFaults(0, behavior.Behavior{}))
	require.Equal(t, 200, push(0))
}

// beginLargePush sends the head of a push to device 0 and a part of its body, and returns once the
// device is receiving it.
func beginLargePush(t *testing.T, f *Fleet,
	size, part int) (write func([]byte), read func() *http.Response, abort func()) {
	nc := dialFleet(t, f)
	_, err := fmt.Fprintf(nc, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	require.NoError(t, err)
	_, err = nc.Write(make([]byte, part))
	require.NoError(t, err)
	client := newClient(t)
	require.Eventually(t, func() bool {
		return getVersion(t, client, f.DeviceAddress(0)).State == wire.StateInstalling
	}, testDeadline, 1e6)
	write = func(b []byte) {
		_, err := nc.Write(b)
		require.NoError(t, err)
	}
	read = func() *http.Response {
		response, err := http.ReadResponse(bufio.NewReader(nc), nil)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	return write, read, func() { require.NoError(t, nc.Close()) }
}

func TestAPushDuringAnotherIsAConflict(t *testing.T) {
	f := startFleet(t, Config{Devices: 2, Addressing: address.Port})
	client := newClient(t)
	const size = 100_000
	write, read, _ := beginLargePush(t, f, size, 20_000)
	for _, artifact := range [][]byte{[]byte("small"), make([]byte, 50_000), make([]byte, 500_000)} {
		status, answer := update{artifact: artifact}.send(t, client, f.DeviceAddress(0))
		require.Equal(t, http.StatusConflict, status)
		require.Equal(t, "another update is under way", answer.Message)
	}
	status, _ := update{artifact: []byte("small")}.send(t, client, f.DeviceAddress(1))
	require.Equal(t, http.StatusOK, status)
	write(make([]byte, size-20_000))
	require.Equal(t, http.StatusOK, read().StatusCode)
	e := entryOf(t, f, 0)
	require.Equal(t, []uint32{4, 1, 3}, []uint32{e.Pushes, e.Applied, e.Rejected})
	require.Equal(t, sha(make([]byte, size)), e.Digest)
	require.Equal(t, wire.StateIdle, e.State)
}

func TestAPushThatBreaksOffLeavesTheDeviceUsable(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	client := newClient(t)
	_, _, abort := beginLargePush(t, f, 100_000, 20_000)
	abort()
	require.Eventually(t, func() bool { return entryOf(t, f, 0).Incomplete == 1 }, testDeadline, 1e6)

	nc := dialFleet(t, f) // a push that would fit into the read buffer
	_, err := io.WriteString(nc, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart")
	require.NoError(t, err)
	require.NoError(t, nc.Close())
	require.Eventually(t, func() bool { return entryOf(t, f, 0).Incomplete == 2 }, testDeadline, 1e6)

	e := entryOf(t, f, 0)
	require.Equal(t, "1.0.0", e.Version)
	require.EqualValues(t, 20_004, e.BytesReceived)
	status, _ := update{artifact: make([]byte, 100_000)}.send(t, client, f.DeviceAddress(0))
	require.Equal(t, http.StatusOK, status)
	e = entryOf(t, f, 0)
	require.Equal(t, []uint32{3, 1, 2}, []uint32{e.Pushes, e.Applied, e.Incomplete})
}

func TestAResetDuringAPushDropsIt(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	write, read, _ := beginLargePush(t, f, 50_000, 20_000)
	f.Reset()
	for range f.Ledger() {
		require.Fail(t, "the ledger is not empty")
	}
	write(make([]byte, 30_000))
	require.Equal(t, http.StatusServiceUnavailable, read().StatusCode)
	d, err := f.Device(0)
	require.NoError(t, err)
	require.Zero(t, d.Pushes+d.Applied+d.Incomplete)
	require.Equal(t, wire.StateIdle, d.State)
}

func TestManyConnectionsToOneDeviceAllSucceed(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Path})
	client := newClient(t)
	const workers, each = 64, 20
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for range each {
				response, err := client.Post(f.DeviceAddress(0)+wire.PathUpdate, "text/plain", strings.NewReader("the same"))
				if err != nil {
					t.Error(err)
					return
				}
				if response.StatusCode != http.StatusOK {
					t.Error(response.Status)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	done.Wait()
	e := entryOf(t, f, 0)
	require.Equal(t, []uint32{workers * each, 1, workers*each - 1, 0},
		[]uint32{e.Pushes, e.Applied, e.Repeats, e.AppliedTwice})
}
