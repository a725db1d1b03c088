package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// transports are what most tests run over.
var transports = []Transport{Lean, NetHTTP}

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(t *testing.T, cfg Config)) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			test(t, Config{
				Transport: tr,
				Timeouts:  Timeouts{Dial: 5 * time.Second, Answer: 10 * time.Second, Total: 20 * time.Second},
				Retry: Retry{MaxAttempts: 4, Base: time.Microsecond, Cap: time.Millisecond, Poll: time.Millisecond,
					PollFor: 10 * time.Second},
			})
		})
	}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func newUpdate(t testing.TB, version string, body []byte) *Update {
	t.Helper()
	a, err := ArtifactFromBytes(body)
	require.NoError(t, err)
	u, err := NewUpdate(version, a)
	require.NoError(t, err)
	return u
}

// fileUpdate returns an update whose artifact is a file of size zero bytes.
func fileUpdate(t testing.TB, size int64) *Update {
	t.Helper()
	path := filepath.Join(t.TempDir(), "firmware.bin")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, size))
	a, err := OpenArtifact(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	u, err := NewUpdate("2", a)
	require.NoError(t, err)
	return u
}

// testDevice is a device written for these tests with net/http, which shares no code with the
// client. By default it takes every update; a script may answer requests instead.
type testDevice struct {
	Device
	server *httptest.Server

	mu       sync.Mutex
	version  string
	digest   string
	state    string
	pushes   []*http.Request
	bodies   [][]byte
	verifies int
	conns    int
	// onPush and onVerify answer in place of the device and report whether they did;
	// n counts from 1. applied is called to apply what was pushed.
	onPush   func(n int, w http.ResponseWriter, apply func()) bool
	onVerify func(n int, w http.ResponseWriter) bool
}

func newTestDevice(t testing.TB) *testDevice {
	d := &testDevice{version: "1.0.0", state: "idle"}
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			d.mu.Lock()
			d.conns++
			d.mu.Unlock()
		}
	}
	d.server.Start()
	t.Cleanup(d.server.Close)
	d.Device = Device{ID: "till-17", Address: d.server.URL}
	return d
}

func (d *testDevice) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/update":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.pushes = append(d.pushes, r)
		d.bodies = append(d.bodies, body)
		sum := sha256.Sum256(body)
		apply := func() { d.version, d.digest = r.Header.Get("X-Update-Version"), hex.EncodeToString(sum[:]) }
		if d.onPush != nil && d.onPush(len(d.pushes), w, apply) {
			return
		}
		apply()
		answer(w, 200, map[string]any{"success": true, "message": "applied", "size": len(body), "digest": d.digest})
	case "/version":
		d.mu.Lock()
		defer d.mu.Unlock()
		d.verifies++
		if d.onVerify != nil && d.onVerify(d.verifies, w) {
			return
		}
		d.tell(w)
	default:
		http.NotFound(w, r)
	}
}

// tell answers a verification with what the device runs.
func (d *testDevice) tell(w http.ResponseWriter) {
	answer(w, 200, map[string]any{"device_id": "till-17", "version": d.version, "digest": d.digest, "state": d.state,
		"updated_at": ""})
}

func (d *testDevice) counts() (pushes, verifies, conns int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pushes), d.verifies, d.conns
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}
