package lean

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNewConnAllocates checks what a new connection allocates in addition to its socket: the conn,
// its reader and the reader's buffer, and the function that a context calls. If a device closes
// after each answer, every request has this cost.
func TestNewConnAllocates(t *testing.T) {
	var c *conn
	require.EqualValues(t, 4, testing.AllocsPerRun(100, func() { c = newConn() }))
	require.NotNil(t, c)
}
