package server

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// writeConn is a connection whose writes return the error that the test sets.
type writeConn struct {
	net.Conn
	err error
}

func (c *writeConn) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	return len(b), nil
}

func newFaultConn() (faultConn, *writeConn) {
	s := New(Config{Addressing: address.Path, Devices: device.Config{Devices: 1, InitialVersion: "1.0.0"}})
	nc := &writeConn{}
	return faultConn{newConn(s, nc, 0)}, nc
}

// TestFaultConn_WriteRenewsTheDeadlineOnSuccess checks that a write renews the deadline only if it
// succeeds: a client that takes nothing makes no progress.
func TestFaultConn_WriteRenewsTheDeadlineOnSuccess(t *testing.T) {
	f, nc := newFaultConn()
	nc.err = io.ErrClosedPipe
	const before = int64(7)
	f.c.deadline.at.Store(before)
	require.False(t, f.Write([]byte("x")))
	require.Equal(t, before, f.c.deadline.at.Load())
	nc.err = nil
	require.True(t, f.Write([]byte("x")))
	require.GreaterOrEqual(t, f.c.deadline.at.Load(), int64(stallLimit))
	require.Less(t, f.c.deadline.at.Load(), int64(stallLimit+time.Minute))
}

func TestFaultConn_EncodeAllocatesNothing(t *testing.T) {
	f, _ := newFaultConn()
	f.c.getBuffers()
	response := &fault.Response{Status: http.StatusTeapot, ContentType: typeTextLine, Body: []byte("short and stout")}
	require.Zero(t, testing.AllocsPerRun(100, func() { f.Encode(response) }))
	require.Equal(t, "HTTP/1.1 418 I'm a teapot\r\n"+string(f.c.srv.dateLine())+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n\r\nshort and stout", string(f.Encode(response)))
}
