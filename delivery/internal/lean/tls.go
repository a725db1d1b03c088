package lean

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// handshake returns a TLS connection over nc. It reports whether it offered a session for
// resumption.
func (t *transport) handshake(
	ctx context.Context, nc net.Conn, r *request,
) (_ net.Conn, resuming bool, _ *exchange.Failure) {
	ctx, cancel := context.WithDeadline(ctx, exchange.Earlier(r.deadline, time.Now().Add(t.cfg.Limits.TLSHandshake)))
	defer cancel()
	base := t.cfg.TLS
	if r.Identity != nil {
		base = r.Identity.TLS
	}
	cfg, sessions := handshakeConfig(base, r.To)
	tc := tls.Client(&rawConn{Conn: nc}, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		f := exchange.Fail(exchange.Connect, errors.Join(fmt.Errorf("TLS: %w", err), exchange.IgnoreClosed(nc.Close())))
		if exchange.IsRefusedPeer(err) {
			f.Kind = exchange.PeerRefused
		}
		return nil, sessions != nil && sessions.offered, f
	}
	return tc, false, nil
}

// addressSessions is the session cache of one handshake. It keeps the sessions of addresses apart:
// crypto/tls tells them apart by the server's name, which many devices may share.
type addressSessions struct {
	tls.ClientSessionCache
	address string
	offered bool // the handshake offered a session
}

func (s *addressSessions) Get(key string) (*tls.ClientSessionState, bool) {
	state, ok := s.ClientSessionCache.Get(s.address + " " + key)
	s.offered = ok && state != nil
	return state, ok
}

func (s *addressSessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(s.address+" "+key, state)
}

// handshakeConfig returns the TLS configuration of a handshake with a target, and its session
// cache, which is nil if no sessions are kept.
func handshakeConfig(base *tls.Config, to endpoint.Target) (*tls.Config, *addressSessions) {
	if base.ServerName != "" && base.ClientSessionCache == nil && len(base.NextProtos) == 0 {
		return base, nil
	}
	cfg := base.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = to.ServerName()
	}
	if len(cfg.NextProtos) > 0 {
		cfg.NextProtos = []string{"http/1.1"} // what else it offers, only net/http speaks
	}
	if cfg.ClientSessionCache == nil {
		return cfg, nil
	}
	sessions := &addressSessions{ClientSessionCache: cfg.ClientSessionCache, address: to.DialAddr()}
	cfg.ClientSessionCache = sessions
	return cfg, sessions
}

// rawConn is the connection beneath TLS. What TLS writes can be kept in it, and its reads can be
// made not to wait: see writeSecure and peekNow.
type rawConn struct {
	net.Conn
	c      *conn // nil during the handshake
	keep   bool  // writes go into kept, for flush
	noWait bool  // reads don't wait
	moved  bool  // the last flush wrote something
	kept   []byte
}

// NetConn returns the socket, or what a Dial put around it.
func (u *rawConn) NetConn() net.Conn { return u.Conn }

func (u *rawConn) Write(p []byte) (int, error) {
	if u.keep {
		u.kept = append(u.kept, p...)
		return len(p), nil
	}
	return u.Conn.Write(p)
}

// Read reads from the connection. If it would wait and must not, it fails as at a deadline.
func (u *rawConn) Read(p []byte) (int, error) {
	if u.noWait && u.c.probe.IsQuiet() {
		return 0, os.ErrDeadlineExceeded
	}
	return u.Conn.Read(p)
}

// flush writes what was kept, and what TLS adds to it meanwhile.
func (u *rawConn) flush() error {
	u.moved = false
	for at := 0; at < len(u.kept); {
		n, err := u.c.writeMonitored(u.Conn, u.kept[at:])
		at += n
		u.moved = u.moved || n > 0
		if err != nil {
			return err
		}
	}
	u.kept = u.kept[:0]
	return nil
}

// release ends the keeping of writes, and drops what was kept.
func (u *rawConn) release() { u.keep, u.kept = false, u.kept[:0] }

// trim frees the memory that an upload took: a connection may be idle for long.
func (u *rawConn) trim() {
	if cap(u.kept) > readBuffer {
		u.kept = nil
	}
}

// writeSecure writes over TLS, a record at a time. crypto/tls can't go on after a write that met
// its deadline, and must not read in the middle of a write, because it may answer what it reads
// with another write. So its writes never wait: the rawConn keeps the records, and flush writes
// them.
func (c *conn) writeSecure(p []byte) (done int, err error) {
	defer c.raw.release()
	for len(p) > 0 && err == nil {
		const record = 16 << 10 // RFC 8446 §5.1
		piece := p[:min(len(p), record)]
		c.raw.keep = true
		if _, err = c.nc.Write(piece); err == nil {
			if err = c.raw.flush(); err == nil || c.raw.moved {
				done += len(piece)
			}
		}
		p = p[len(piece):]
	}
	return done, err
}

// underTLS returns the connection under TLS.
func underTLS(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if up, ok := nc.(*rawConn); ok {
		nc = up.Conn
	}
	return nc
}
