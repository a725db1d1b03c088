package mockfleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

func TestMain(m *testing.M) {
	help()
	goleak.VerifyTestMain(m,
		// The fasthttp server of a benchmark leaves these goroutines asleep when it is shut down.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// startFleet starts a fleet that ends with the test.
func startFleet(t testing.TB, cfg Config) *Fleet {
	t.Helper()
	f, err := Start(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// portOf returns the port of the fleet's own address.
func portOf(f *Fleet) uint16 {
	_, at, _ := strings.Cut(f.Ready().Address, "://")
	return netip.MustParseAddrPort(at).Port()
}

// newClient returns an HTTP client whose idle connections are closed at the end of the test.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// update is a push. Its headers are as given; Repr-Digest is that of the artifact unless it is set.
type update struct {
	artifact []byte
	version  string
	key      string
	id       string
	digest   string
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func reprDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func (u update) send(t testing.TB, client *http.Client, address string) (int, wire.UpdateAnswer) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, address+wire.PathUpdate, bytes.NewReader(u.artifact))
	require.NoError(t, err)
	request.Header.Set("Content-Type", wire.TypeArtifact)
	for name, value := range map[string]string{
		wire.HeaderUpdateVersion: u.version, wire.HeaderIdempotency: u.key,
		wire.HeaderDeviceID: u.id, wire.HeaderReprDigest: u.digest,
	} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer wire.UpdateAnswer
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer
}

func getVersion(t testing.TB, client *http.Client, address string) wire.VersionAnswer {
	t.Helper()
	response, err := client.Get(address + wire.PathVersion)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, wire.TypeJSON, response.Header.Get("Content-Type"))
	var answer wire.VersionAnswer
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer
}

// entryOf returns the entry of device i in the ledger.
func entryOf(t testing.TB, f *Fleet, i int) ledger.Entry {
	t.Helper()
	for e := range f.Ledger() {
		if e.Device == i {
			return e
		}
	}
	require.Failf(t, "no entry", "device %d", i)
	return ledger.Entry{}
}

func TestEveryAddressingUpdatesAndVerifiesEachDevice(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Port, address.Path} {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 20, Addressing: a, Seed: 7})
			client := newClient(t)
			for i := range f.Devices() {
				at := f.DeviceAddress(i)
				derived, err := address.DeviceAddress(f.Ready().Address, a, f.Ready().Network, i)
				require.NoError(t, err)
				require.Equal(t, at, derived)

				before := getVersion(t, client, at)
				require.Equal(t, wire.VersionAnswer{DeviceID: address.DeviceID(i), Version: "1.0.0", State: wire.StateIdle}, before)

				artifact := fmt.Appendf(nil, "firmware of device %d", i)
				status, answer := update{artifact: artifact, version: "2.0.0", id: address.DeviceID(i),
					digest: reprDigest(artifact)}.
					send(t, client, at)
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, wire.UpdateAnswer{Success: true, Message: "applied", Size: int64(len(artifact)),
					Digest: sha(artifact)}, answer)

				after := getVersion(t, client, at)
				require.Equal(t, "2.0.0", after.Version)
				require.Equal(t, sha(artifact), after.Digest)
				require.NotEmpty(t, after.UpdatedAt)

				response, err := client.Get(at + wire.PathHealth)
				require.NoError(t, err)
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				require.Equal(t, wire.HealthBody, string(body))
			}
			n := 0
			for e := range f.Ledger() {
				require.Equal(t, n, e.Device)
				require.EqualValues(t, 1, e.Pushes)
				require.EqualValues(t, 1, e.Applied)
				require.EqualValues(t, 2, e.Verifies)
				n++
			}
			require.Equal(t, 20, n)
			s := f.Status()
			require.EqualValues(t, 20, s.Updated)
			require.EqualValues(t, 80, s.Requests)
			require.Zero(t, s.AppliedTwice+s.Misdirected+s.Rejected+s.ConnectionsRefused)
		})
	}
}
