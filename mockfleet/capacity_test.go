package mockfleet

import (
	"net"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/stretchr/testify/require"
)

func TestAFleetAnswersNoMoreThanItsCapacity(t *testing.T) {
	inBubble(t, Config{Devices: 1, Capacity: 4}, func(t *testing.T, _ *Fleet, client net.Conn) {
		begun := time.Now()
		for n := range 5 {
			var answer wire.UpdateAnswer
			require.Equal(t, 200, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
			require.Equal(t, time.Duration(n)*250*time.Millisecond, time.Since(begun), "answer %d", n)
		}
	})
}
