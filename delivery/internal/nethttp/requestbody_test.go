package nethttp

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/stretchr/testify/require"
)

func TestBodyReleasesItsArtifact(t *testing.T) {
	limits := exchange.Limits{Response: 10 * time.Second}
	b := &newPooledRequest(newTransport(Config{Config: exchange.Config{Limits: limits, TLS: &tls.Config{}}},
		&exchange.Counters{})).body
	b.timer.start(&limits, time.Minute, 3)
	defer b.timer.stop()
	b.attach(&exchange.Body{Source: strings.NewReader("abc"), Size: 3}, nil)
	n, err := b.Read(make([]byte, 2))
	require.Equal(t, 2, n)
	require.NoError(t, err)
	b.detach()
	n, err = b.Read(make([]byte, 2))
	require.Zero(t, n)
	require.ErrorIs(t, err, errDetached)
}
