package lean

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestThePoolClosesOutsideItsLock checks that connections are closed without the pool's lock. The
// close of a TLS connection may wait for its peer, and must not hold up the operations on every
// other device.
func TestThePoolClosesOutsideItsLock(t *testing.T) {
	p := newConnPool(1, 1, time.Hour)
	locked := 0
	adopt := func(host string) *conn {
		near, far := net.Pipe()
		require.NoError(t, far.Close())
		return p.wrap(connKey{host: host}, &closeHook{near, func() {
			if !p.mu.TryLock() {
				locked++
				return
			}
			p.mu.Unlock()
		}})
	}
	a, b, c, d := adopt("a"), adopt("a"), adopt("b"), adopt("b")
	p.put(a)
	p.put(b) // one too many of its device
	p.put(c) // one too many: a goes
	p.maxAge = -1
	_, err := p.get(connKey{host: "b"}, time.Now()) // too old
	require.NoError(t, err)
	p.put(d)
	p.close()
	require.Zero(t, locked)
	require.Zero(t, p.idle)
}

type closeHook struct {
	net.Conn
	hook func()
}

func (c *closeHook) Close() error {
	c.hook()
	return c.Conn.Close()
}
