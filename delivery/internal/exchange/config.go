package exchange

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Config is what every transport is configured with. Every field but Limits.Request must be set.
type Config struct {
	Limits Limits
	Header CommonHeader // of requests without an Identity
	TLS    *tls.Config  // likewise
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)

	MaxIdle          int           // idle connections of all devices
	MaxIdlePerDevice int           // idle connections of one host
	IdleTimeout      time.Duration // of an idle connection
}
