package rollout

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// transports are what most tests with a client run over.
var transports = []delivery.Transport{delivery.Lean, delivery.NetHTTP}

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(t *testing.T, cfg delivery.Config)) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			test(t, delivery.Config{
				Transport: tr,
				Timeouts:  delivery.Timeouts{Dial: 5 * time.Second, Answer: 10 * time.Second, Total: 20 * time.Second},
				Retry: delivery.Retry{MaxAttempts: 4, Base: time.Microsecond, Cap: time.Millisecond, Poll: time.Millisecond,
					PollFor: 10 * time.Second},
			})
		})
	}
}

func newClient(t testing.TB, cfg delivery.Config) *delivery.Client {
	t.Helper()
	c, err := delivery.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func newUpdate(t testing.TB, version string, body []byte) *delivery.Update {
	t.Helper()
	a, err := delivery.ArtifactFromBytes(body)
	require.NoError(t, err)
	u, err := delivery.NewUpdate(version, a)
	require.NoError(t, err)
	return u
}

func rawDevice(t testing.TB, serve func(net.Conn)) delivery.Device {
	t.Helper()
	return delivery.Device{Address: deliverytest.Listen(t, serve)}
}

func scriptedDevice(t testing.TB, script func(k, n int, r *http.Request) string) delivery.Device {
	t.Helper()
	return delivery.Device{Address: deliverytest.Scripted(t, script)}
}

// Causes of failures, as a device describes them.
var (
	errRefused    = errors.New("device refused")
	errInstalling = errors.New("device is still installing or rebooting")
)

// failingReader is a file that can't be read to its end.
type failingReader struct{}

func (*failingReader) Read([]byte) (int, error) { return 0, errors.New("line gone") }
