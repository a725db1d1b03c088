package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
)

// defaultTLSSessions is how many sessions are kept by default. Each holds the device's
// certificates, some KiB.
const defaultTLSSessions = 1024

// keepSessions gives a TLS configuration the cache that resumes sessions (RFC 8446 §2.2,
// RFC 5077), unless it has one or the caller wants none. A resumed handshake doesn't call
// VerifyPeerCertificate, so where the caller verifies by that alone none is resumed.
func keepSessions(t *tls.Config, most int) {
	if t.ClientSessionCache != nil || most < 0 || t.VerifyPeerCertificate != nil && t.VerifyConnection == nil {
		return
	}
	t.ClientSessionCache = tls.NewLRUClientSessionCache(most)
}

// identitySessions keeps the sessions of an identity apart from all others: a session
// carries who the client is, and that the device was verified.
type identitySessions struct {
	tls.ClientSessionCache
	of string
}

func (s identitySessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(key + " " + s.of)
}

func (s identitySessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(key+" "+s.of, state)
}

// addressSessions keeps the sessions of one address: crypto/tls tells them apart by the
// server's name, which many devices may share. It serves one handshake.
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

// handshakeConfig returns the TLS configuration of a handshake with a target, and its
// sessions, nil if none are kept.
func handshakeConfig(base *tls.Config, to target) (*tls.Config, *addressSessions) {
	if base.ServerName != "" && base.ClientSessionCache == nil {
		return base, nil
	}
	cfg := base.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = to.serverName()
	}
	if cfg.ClientSessionCache == nil {
		return cfg, nil
	}
	sessions := &addressSessions{ClientSessionCache: cfg.ClientSessionCache, address: to.dialAddress()}
	cfg.ClientSessionCache = sessions
	return cfg, sessions
}

// countedSessions counts the sessions that are offered.
type countedSessions struct {
	tls.ClientSessionCache
	offered *atomic.Uint64
}

func (s countedSessions) Get(key string) (*tls.ClientSessionState, bool) {
	state, ok := s.ClientSessionCache.Get(key)
	if ok && state != nil {
		s.offered.Add(1)
	}
	return state, ok
}

func (t *netHTTP) countSessions(cfg *tls.Config) *tls.Config {
	if cfg.ClientSessionCache == nil {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.ClientSessionCache = countedSessions{cfg.ClientSessionCache, &t.offered}
	return cfg
}

// roundTripResuming sends a request again, once, if its handshake failed and may have offered a
// session: a device that can't resume should go on with a whole handshake (RFC 8446
// §4.2.11), and some break it off. crypto/tls has then forgotten the session. Other
// requests may have offered theirs meanwhile; that costs one handshake too many.
func (t *netHTTP) roundTripResuming(ctx context.Context, x *exchange) error {
	before := t.offered.Load()
	err := t.roundTripOnce(ctx, x)
	if err == nil || t.offered.Load() == before {
		return err
	}
	if e, ok := errors.AsType[*exchangeError](err); ok && e.secure && e.phase == phaseConnect && ctx.Err() == nil && !isRefusedClient(err) {
		return t.roundTripOnce(ctx, x)
	}
	return err
}
