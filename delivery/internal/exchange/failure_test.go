package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFail(t *testing.T) {
	f := Fail(Send, fmt.Errorf("writing: %w", ShortRead(7, nil)))
	require.Equal(t, Source, f.Kind)
	require.Equal(t, Send, f.Stage)
	require.EqualError(t, f, "writing: reading artifact at byte 7: unexpected EOF")
	require.ErrorIs(t, f, io.ErrUnexpectedEOF)
	f = Fail(Connect, syscall.ECONNREFUSED)
	require.Equal(t, Network, f.Kind)
	require.ErrorIs(t, f.AsError(), syscall.ECONNREFUSED)
	f = nil
	require.NoError(t, f.AsError())
}

// TestErrorsOfConnections checks what is read from the errors of packages net and crypto/tls.
func TestErrorsOfConnections(t *testing.T) {
	reset := &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}
	late := &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	alert := errors.New("remote error: tls: bad certificate")
	type is struct{ timeout, peerGone, refusedPeer, refusedClient bool }
	for _, row := range []struct {
		err  error
		want is
	}{
		{io.EOF, is{}},
		{reset, is{peerGone: true}},
		{late, is{timeout: true}},
		{context.DeadlineExceeded, is{timeout: true}},
		{context.Canceled, is{}},
		{ErrTooSlow, is{timeout: true}},
		{ErrResponseTimeout, is{timeout: true}},
		{&SourceError{reset}, is{}},
		{&tls.CertificateVerificationError{Err: errors.New("expired")}, is{refusedPeer: true}},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "till"}, is{refusedPeer: true}},
		{tls.AlertError(40), is{refusedPeer: true}},
		{http.ErrSchemeMismatch, is{refusedPeer: true}},
		{errors.New("tls: no supported versions"), is{refusedPeer: true}},
		{alert, is{refusedPeer: true, refusedClient: true}},
		{&net.OpError{Op: "remote error", Err: alert}, is{peerGone: true, refusedPeer: true, refusedClient: true}},
		{errors.New("remote error: tls: unrecognized name"), is{refusedPeer: true}},
	} {
		err := fmt.Errorf("wrapped: %w", row.err)
		got := is{IsTimeout(err), IsPeerGone(err), IsRefusedPeer(err), IsRefusedClient(err)}
		require.Equal(t, row.want, got, "%v", row.err)
	}
	require.NoError(t, IgnoreClosed(fmt.Errorf("close: %w", net.ErrClosed)))
	require.Equal(t, io.EOF, IgnoreClosed(io.EOF))
}
