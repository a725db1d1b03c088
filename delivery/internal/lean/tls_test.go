package lean

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

func TestHandshakeConfig(t *testing.T) {
	to := endpoint.Target{TLS: true, Host: "192.0.2.17:8443"}
	named := &tls.Config{ServerName: "till-17"}
	cfg, sessions := handshakeConfig(named, to)
	require.Same(t, named, cfg, "there is nothing to add")
	require.Nil(t, sessions)

	cfg, sessions = handshakeConfig(&tls.Config{}, to)
	require.Equal(t, "192.0.2.17", cfg.ServerName)
	require.Nil(t, sessions)

	both := &tls.Config{ServerName: "till-17", NextProtos: []string{"h2", "http/1.1"}}
	cfg, _ = handshakeConfig(both, to)
	require.Equal(t, []string{"http/1.1"}, cfg.NextProtos)
	require.Equal(t, []string{"h2", "http/1.1"}, both.NextProtos, "the caller's is its own")

	kept := &tls.Config{ServerName: "till-17", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	cfg, sessions = handshakeConfig(kept, to)
	require.Equal(t, "till-17", cfg.ServerName)
	require.Same(t, sessions, cfg.ClientSessionCache)
	cfg.ClientSessionCache.Put("till-17", &tls.ClientSessionState{})
	_, ok := sessions.Get("till-17")
	require.True(t, ok)
	require.True(t, sessions.offered)
	_, others := handshakeConfig(kept, endpoint.Target{TLS: true, Host: "192.0.2.18:8443"})
	_, ok = others.Get("till-17")
	require.False(t, ok, "another address has sessions of its own, whatever the device's name")
	require.False(t, others.offered)
}
