// Package socket asks the system about the sockets of connections, which package net doesn't do:
// whether there is something to read, whether the peer has ended the connection, and how much of
// what was written the peer's system has yet to acknowledge. It also writes a request and waits for
// the answer in one step. It knows nothing of HTTP.
package socket

import (
	"errors"
	"net"
	"syscall"
)

// ErrStale is the error of an idle connection that was found to hold data, or to have ended, before
// anything was written to it.
var ErrStale = errors.New("kept-alive connection is no good any more")

// A WriteObserver is told what a [WriteWaiter] does. It is an interface rather than a function so
// that a connection can observe its own writes without an allocation.
type WriteObserver interface {
	// OnWritten is called after the write of a request, before the wait for the response.
	OnWritten()
}

// unwrap returns the socket of a connection, beneath TLS and whatever else has a NetConn method. It
// returns the innermost connection that it finds if that is no socket.
func unwrap(nc net.Conn) net.Conn {
	for {
		if _, ok := nc.(syscall.Conn); ok {
			return nc
		}
		w, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = w.NetConn()
	}
}

// ResetOnClose makes the close of a connection drop what the peer hasn't taken. Otherwise the
// system would keep it, megabytes for a peer that stopped reading, and go on trying for minutes;
// and the peer would see the close only behind all of it.
func ResetOnClose(nc net.Conn) {
	if s, ok := unwrap(nc).(interface{ SetLinger(seconds int) error }); ok {
		_ = s.SetLinger(0) // where it fails, the connection has ended already
	}
}
