package nethttp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
)

// TestFailure checks how far an exchange came, and what failed, by the errors of net/http, of TLS
// and of the timer.
func TestFailure(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	untrusted := &tls.CertificateVerificationError{Err: errors.New("expired")}
	alert := errors.New("remote error: tls: bad certificate")
	cut := &http1.Error{Err: io.ErrUnexpectedEOF}
	long := fmt.Errorf("net/http: malformed HTTP response %q", strings.Repeat("x", 500))
	for name, row := range map[string]struct {
		err, why  error
		connected bool
		stage     exchange.Stage
		kind      exchange.Kind
		text      string
	}{
		"no connection": {refused, nil, false, exchange.Connect, exchange.Network, refused.Error()},
		"no connection in time": {io.EOF, exchange.ErrResponseTimeout, false, exchange.Connect, exchange.Network,
			"no answer within the answer timeout"},
		"a certificate":   {untrusted, nil, false, exchange.Connect, exchange.PeerRefused, untrusted.Error()},
		"our certificate": {alert, nil, true, exchange.Connect, exchange.PeerRefused, alert.Error()},
		"a reset":         {reset, nil, true, exchange.Send, exchange.Network, reset.Error()},
		"no answer in time": {io.EOF, exchange.ErrResponseTimeout, true, exchange.Receive, exchange.Network,
			"no answer within the answer timeout"},
		"an upload too slow": {io.EOF, exchange.ErrTooSlow, true, exchange.Receive, exchange.Network,
			exchange.ErrTooSlow.Error()},
		"an answer that ends": {fmt.Errorf("net/http: %w", cut), nil, true, exchange.Send, exchange.BadHTTP,
			"reading answer: unexpected EOF"},
		"an answer that is reset": {&http1.Error{Err: reset}, nil, true, exchange.Send, exchange.Network,
			"reading answer: " + reset.Error()},
		"an answer of no HTTP": {long, nil, true, exchange.Send, exchange.BadHTTP, long.Error()[:120] + "…"},
		"an artifact that ends": {exchange.ShortRead(7, io.EOF), nil, true, exchange.Send, exchange.Source,
			"reading artifact at byte 7: unexpected EOF"},
	} {
		f := failure(row.err, row.why, row.connected)
		require.Equal(t, row.stage, f.Stage, name)
		require.Equal(t, row.kind, f.Kind, name)
		require.EqualError(t, f, row.text, name)
		if row.why != nil {
			require.ErrorIs(t, f, row.why, name)
		}
	}
}
