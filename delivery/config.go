package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/lean"
	"github.com/fleetmark/fleetmark/delivery/internal/nethttp"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// Transport names how a Client moves bytes.
type Transport string

// The transports.
const (
	// Lean uses connections of the client's own: HTTP/1.1 only, no proxies, and each operation runs
	// in its caller's goroutine.
	Lean Transport = "lean"
	// NetHTTP uses net/http's Transport, for HTTP/2, proxies and instrumented round-trippers.
	NetHTTP Transport = "nethttp"
)

// Config configures a Client. The zero value is useful: it selects the lean transport, and the
// default of each field. New checks the configuration once and copies it.
//
// Its String method shows no header values and no keys, so a Config may be logged.
type Config struct {
	Transport Transport // default Lean
	Timeouts  Timeouts
	Retry     Retry
	Budget    RetryBudget // of all devices together
	Breaker   Breaker     // of each device

	// MaxIdle bounds the kept-alive connections that no operation uses, over all
	// devices; the one unused longest makes room. Default 512.
	MaxIdle int
	// MaxIdlePerDevice bounds them per address. Default 64.
	MaxIdlePerDevice int
	// IdleTimeout is how long a connection may lie unused before it is not used again, and
	// is closed, after an eighth more of it at most. Devices and middleboxes forget
	// connections silently. Default 60 s.
	IdleTimeout time.Duration
	// MaxAnswer bounds an answer's body in bytes. Default 64 KiB.
	MaxAnswer int
	// MaxAnswerHead bounds an answer's status line and header in bytes, those of interim
	// answers (1xx) before it included. Default 4 KiB.
	MaxAnswerHead int
	// ExpectFrom is the size in bytes from which an artifact is announced before it is sent
	// (Expect: 100-continue, RFC 9110 §10.1.1), so that a device that refuses it costs no upload
	// (over nethttp only if it also closes the connection). It costs a round trip, and up to
	// Timeouts.Continue with a device that doesn't know it. Default 0: never.
	ExpectFrom int64

	// Header is sent with every request, such as Authorization. Names that this
	// package sets itself are refused, but for User-Agent, which replaces its own.
	Header http.Header
	// ForDevice returns what a device has of its own: credentials, headers, the name that its
	// certificate must be for. It is called before every request, so that a token may be renewed,
	// in the goroutine of the operation, and must be safe for concurrent use. Equal credentials
	// share connections and TLS sessions, and no others do. An error ends the operation before
	// anything was sent, with ClassPermanent unless the context has ended; its text goes into the
	// operation's error and must hold no secret. Default: devices have nothing of their own.
	ForDevice func(ctx context.Context, d Device) (Credentials, error)
	// TLS configures https addresses: RootCAs pins authorities, Certificates are shown
	// to a device that asks (mTLS). It is cloned; MinVersion is raised to TLS 1.2. Where
	// its InsecureSkipVerify is set, and no VerifyConnection or VerifyPeerCertificate
	// stands in, New wants the one below to be set as well.
	TLS *tls.Config
	// TLSSessions bounds the TLS sessions that are kept for resumption, over all devices,
	// where TLS.ClientSessionCache is nil: a reconnect then costs less on either side. -1:
	// none. None are kept either where TLS has a VerifyPeerCertificate and no
	// VerifyConnection, because a resumed handshake doesn't call it. Default 1024.
	TLSSessions int
	// InsecureSkipVerify gives every device's certificate, name and date for good: who
	// is in between can read, and change, what is pushed. It is for a test bench.
	InsecureSkipVerify bool
	// RoundTripper is put around the nethttp transport, such as OpenTelemetry's
	// otelhttp.NewTransport. What it makes must be a faithful http.RoundTripper: it
	// must not follow redirects, nor send a request twice. It is called again for each set
	// of credentials that ForDevice gives.
	RoundTripper func(http.RoundTripper) http.RoundTripper
	// Observe is told the phases of every request when it has ended, in the goroutine
	// of its operation, which waits: it should be quick, and it must be safe for
	// concurrent use. Without one nothing is measured.
	Observe func(Timeline)
	// Dial opens connections. Default: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Random gives the jitter of retries. Default: a source seeded by the runtime.
	// It is called under a lock, so it need not be safe for concurrent use.
	Random rand.Source
}

// Timeouts bound one request and its answer. A zero field takes its default.
type Timeouts struct {
	Dial time.Duration // TCP connect. Default 5 s.
	TLS  time.Duration // TLS handshake. Default 5 s.
	// Answer bounds the time from when the device's system has the request's last byte to
	// the answer's last byte. Until it has, LeastProgress bounds it. Default 10 s.
	Answer time.Duration
	// Total bounds one request, dial to answer. Default: 5 min and, for a push, the time that
	// the artifact takes at LeastProgress and its Window: an upload that makes progress
	// isn't ended by it.
	Total time.Duration
	// Continue is how long a device that was asked whether it wants the artifact is
	// waited for, before the artifact is sent all the same. Default 1 s.
	Continue time.Duration
	// LeastProgress ends an upload that crawls, long before Total would.
	LeastProgress LeastProgress
}

func (t Timeouts) withDefaults() Timeouts {
	t.Dial, t.TLS = cmp.Or(t.Dial, 5*time.Second), cmp.Or(t.TLS, 5*time.Second)
	t.Answer, t.Continue = cmp.Or(t.Answer, 10*time.Second), cmp.Or(t.Continue, time.Second) // Total's depends on the artifact
	t.LeastProgress = t.LeastProgress.withDefaults()
	return t
}

// Bounds of the configuration.
const (
	maxIdle   = 1 << 20
	maxAnswer = 16 << 20
	maxHead   = 1 << 20

	maxHeaders   = 64
	maxHeaderLen = 4 << 10
)

func (c Config) withDefaults() Config {
	c.Transport = cmp.Or(c.Transport, Lean)
	c.Timeouts = c.Timeouts.withDefaults()
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Minute)
	c.MaxIdle, c.MaxIdlePerDevice = cmp.Or(c.MaxIdle, 512), cmp.Or(c.MaxIdlePerDevice, 64)
	c.MaxAnswer, c.MaxAnswerHead = cmp.Or(c.MaxAnswer, 64<<10), cmp.Or(c.MaxAnswerHead, 4<<10)
	if c.Dial == nil {
		// The dial deadline is set on the context, so that a Dial that was handed in
		// is held to it as well.
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Random == nil {
		c.Random = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	c.Retry, c.Budget, c.Breaker = c.Retry.withDefaults(), c.Budget.withDefaults(), c.Breaker.withDefaults()
	c.Header = c.Header.Clone()
	c.TLS = cmp.Or(c.TLS, &tls.Config{}).Clone()
	c.TLS.InsecureSkipVerify = c.TLS.InsecureSkipVerify || c.InsecureSkipVerify
	c.TLS.MinVersion = max(c.TLS.MinVersion, tls.VersionTLS12)
	c.TLSSessions = cmp.Or(c.TLSSessions, defaultTLSSessions)
	keepSessions(c.TLS, c.TLSSessions)
	return c
}

// newTransport returns the transport that the configuration names. Its defaults must be filled in.
func (c Config) newTransport(stats *exchange.Counters) exchange.Transport {
	cfg := exchange.Config{
		Limits: c.limits(), Header: exchange.NewCommonHeader(c.Header), TLS: c.TLS, Dial: c.Dial,
		MaxIdle: c.MaxIdle, MaxIdlePerDevice: c.MaxIdlePerDevice, IdleTimeout: c.IdleTimeout,
	}
	if c.Transport == NetHTTP {
		return nethttp.New(nethttp.Config{Config: cfg, RoundTripper: c.RoundTripper, Traced: c.Observe != nil}, stats)
	}
	return lean.New(cfg, stats)
}

// limits returns what bounds a request, for the transports.
func (c Config) limits() exchange.Limits {
	t := c.Timeouts
	return exchange.Limits{
		Dial: t.Dial, TLSHandshake: t.TLS, Response: t.Answer, Request: t.Total, ExpectContinue: t.Continue,
		MinThroughput:   exchange.MinThroughput{BytesPerSecond: t.LeastProgress.PerSecond, Window: t.LeastProgress.Window},
		MaxResponseHead: c.MaxAnswerHead, MaxResponseBody: c.MaxAnswer,
	}
}

// Validate returns an error with a line for each mistake in the configuration, or nil if there is
// none.
func (c Config) Validate() error {
	m := check.Mistakes{Prefix: "delivery: "}
	switch c.Transport {
	case "", Lean, NetHTTP:
	default:
		m.Add("transport %q: want %s or %s", string(c.Transport), Lean, NetHTTP)
	}
	if t := c.TLS; t != nil && t.InsecureSkipVerify && !c.InsecureSkipVerify && t.VerifyConnection == nil && t.VerifyPeerCertificate == nil {
		m.Add("TLS.InsecureSkipVerify: certificates would not be verified: want Config.InsecureSkipVerify too, or verification of your own")
	}
	if c.RoundTripper != nil && c.Transport != NetHTTP {
		m.Add("round tripper: transport lean has none: want transport nethttp")
	}
	check.AtMost(&m, "timeouts.dial", c.Timeouts.Dial, check.MaxTimeout)
	check.AtMost(&m, "timeouts.tls", c.Timeouts.TLS, check.MaxTimeout)
	check.AtMost(&m, "timeouts.answer", c.Timeouts.Answer, check.MaxTimeout)
	check.AtMost(&m, "timeouts.total", c.Timeouts.Total, check.MaxTimeout)
	check.AtMost(&m, "idle timeout", c.IdleTimeout, check.MaxTimeout)
	check.AtMost(&m, "timeouts.continue", c.Timeouts.Continue, check.MaxTimeout)
	check.AtMost(&m, "timeouts.least_progress.window", c.Timeouts.LeastProgress.Window, check.MaxTimeout)
	check.AtMost(&m, "max idle", c.MaxIdle, maxIdle)
	check.AtMost(&m, "max idle per device", c.MaxIdlePerDevice, maxIdle)
	check.AtMost(&m, "max answer", c.MaxAnswer, maxAnswer)
	check.AtMost(&m, "max answer head", c.MaxAnswerHead, maxHead)
	if c.TLSSessions < -1 || c.TLSSessions > maxIdle {
		m.Add("tls sessions %d: want -1 (none), 0 (the default) to %d", c.TLSSessions, maxIdle)
	}
	if c.ExpectFrom < 0 {
		m.Add("expect from %d: want 0 (never) or a size in bytes", c.ExpectFrom)
	}
	if p := c.Timeouts.LeastProgress.PerSecond; p < -1 || p > maxLeastProgress {
		m.Add("timeouts.least_progress.per_second %d: want -1 (none), 0 (the default) to %d", p, maxLeastProgress)
	}
	m.Errs = append(m.Errs, c.Retry.Validate(), c.Budget.Validate(), c.Breaker.Validate())
	m.Errs = append(m.Errs, validateHeader(c.Header)...)
	return m.Err()
}

// reservedHeaders are the ones that this package or net/http sets; a second
// value from the configuration would make the request ambiguous. User-Agent isn't among
// them: there the configured one is sent alone.
func reservedHeaders() []string {
	return []string{
		"Connection", "Content-Length", "Content-Type", "Expect", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		wire.HeaderDeviceID, wire.HeaderUpdateVersion, wire.HeaderReprDigest, wire.HeaderIdempotency,
	}
}

const headerUserAgent = "User-Agent"

// validateHeader names headers, never their values: those may be secrets.
func validateHeader(h http.Header) []error {
	m := check.Mistakes{Prefix: "delivery: "}
	if len(h) > maxHeaders {
		m.Add("%d headers: want at most %d", len(h), maxHeaders)
	}
	reserved, seen := reservedHeaders(), make(map[string]bool, len(h))
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		if !check.IsToken(name) {
			m.Add("header name %q: want an HTTP token (RFC 9110 §5.1)", name)
		}
		if slices.ContainsFunc(reserved, func(r string) bool { return http.CanonicalHeaderKey(r) == canonical }) {
			m.Add("header %s is set by the client itself: leave it out", canonical)
		}
		if seen[canonical] {
			m.Add("header %s is there twice, in another case: want its values in one", canonical)
		}
		if canonical == headerUserAgent && len(values) != 1 {
			m.Add("header %s: %d values: want one", canonical, len(values))
		}
		seen[canonical] = true
		for _, v := range values {
			if len(v) > maxHeaderLen || !check.IsHeaderValue(v) {
				m.Add("header %s: value (not shown) is over %d bytes or holds a control character", canonical, maxHeaderLen)
			}
		}
	}
	return m.Errs
}
