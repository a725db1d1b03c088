package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// TestArtifactsOfEverySize checks that every byte of an artifact is received, with sizes around
// those of the buffers and with both framings, and that the connection goes on.
func TestArtifactsOfEverySize(t *testing.T) {
	s := startServer(t, testConfig(1, address.Path, behavior.Behavior{}))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for _, size := range []int{
		1, headerLimit - 1, headerLimit, headerLimit + 1, bodyBufferSize - 1, bodyBufferSize, bodyBufferSize + 1, 3<<20 + 7,
	} {
		artifact := bytes.Repeat([]byte{byte(size), 2, 3}, size/3+1)[:size]
		for _, length := range []int64{int64(size), -1} { // -1 makes net/http send it chunked
			s.store.Reset()
			body := io.NopCloser(bytes.NewReader(artifact))
			request, err := http.NewRequest(http.MethodPost, s.DeviceAddress(0)+wire.PathUpdate, body)
			require.NoError(t, err)
			request.ContentLength = length
			response, err := client.Do(request)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
			e, ok := device.NewEntryReader(s.store).Read(0, false)
			require.True(t, ok)
			require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(artifact)), e.Digest)
			require.EqualValues(t, size, e.BytesReceived)
		}
	}
	require.EqualValues(t, 1, s.Traffic().ConnectionsTotal)
}
