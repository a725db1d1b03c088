package delivery

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// TestEarlyRefusalOfAHeldUpload checks that a device's early refusal ends an upload at once while a
// rate holds it back.
func TestEarlyRefusalOfAHeldUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := rawDevice(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err != nil {
				return
			}
			_, _ = io.WriteString(c, deliverytest.JSONAnswer("403 Forbidden", `{"message":"not signed"}`))
			<-t.Context().Done()
		})
		c := newClient(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := c.Push(pacing.WithByteRate(ctx, pacing.NewByteRate(4<<10)), dev,
			newUpdate(t, "2", make([]byte, 1<<20))) // takes 256 s at this rate
		require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
		require.ErrorContains(t, err, "not signed")
	})
}
