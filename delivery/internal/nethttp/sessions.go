package nethttp

import (
	"context"
	"crypto/tls"
	"sync/atomic"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// countedSessions is a session cache that counts the sessions that handshakes offer.
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

func (t *transport) countSessions(cfg *tls.Config) *tls.Config {
	if cfg.ClientSessionCache == nil {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.ClientSessionCache = countedSessions{cfg.ClientSessionCache, &t.offered}
	return cfg
}

// roundTripResuming sends a request again, once, if its handshake failed and may have offered a
// session: a device that can't resume it should go on with a whole handshake (RFC 8446 §4.2.11),
// and some break it off. crypto/tls has dropped the session then. If it was another request that
// offered one, this costs a handshake too many.
func (t *transport) roundTripResuming(ctx context.Context, r *request) *exchange.Failure {
	before := t.offered.Load()
	f := t.roundTripOnce(ctx, r)
	if f == nil || t.offered.Load() == before {
		return f
	}
	if f.Kind == exchange.PeerRefused && f.Stage == exchange.Connect && ctx.Err() == nil && !exchange.IsRefusedClient(f) {
		return t.roundTripOnce(ctx, r)
	}
	return f
}
