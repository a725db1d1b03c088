package server

import "net"

// Session serves one connection on the caller's goroutine, request by request: for benchmarks and tests
// that need no network.
type Session struct{ c *conn }

// NewSession returns a session of a connection to a device; -1 is that paths name the devices.
func (s *Server) NewSession(nc net.Conn, device int) Session { return Session{newConn(s, nc, device)} }

// Next serves one request. It reports whether the connection goes on.
func (s Session) Next() bool {
	if ready, _ := s.c.waitRequest(); !ready || !s.c.serveNext() {
		return false
	}
	if s.c.buf.reader.Buffered() == 0 {
		s.c.putBuffers()
	}
	return true
}

// Serve serves requests until the connection ends.
func (s Session) Serve() { s.c.serve() }

// HasBuffers reports whether the connection has not given back its buffers.
func (s Session) HasBuffers() bool { return s.c.buf != nil }

// ServeConn serves a connection that was accepted elsewhere, such as one in memory, like those that the
// server accepts. It reports whether the server took it.
func (s *Server) ServeConn(nc net.Conn, device int) bool {
	c := newConn(s, nc, device)
	if !s.conns.add(c) {
		return false
	}
	s.running.Go(c.serve)
	return true
}

// Conns returns the open connections, those below TLS.
func (s *Server) Conns() (list []net.Conn) {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	for c := s.conns.first; c != nil; c = c.next {
		list = append(list, c.rawConn())
	}
	return list
}

// Parked returns how many connections have no goroutine.
func (s *Server) Parked() (n int) {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	for c := s.conns.first; c != nil; c = c.next {
		if c.isParked {
			n++
		}
	}
	return n
}

// ParkWaiting asks every connection that waits for a request to be parked, however short it has waited.
func (s *Server) ParkWaiting() {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	for c := s.conns.first; c != nil; c = c.next {
		if !c.isParked {
			s.conns.wake(c, c.deadline.Load()-int64(StallLimit)-1) // when it has been idle for long
		}
	}
}

// CloseIdle closes the connections that have been idle for as long as they may.
func (s *Server) CloseIdle() { s.conns.closeExpired(s.elapsed.Load() + int64(IdleLimit) + 1) }
