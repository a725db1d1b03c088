package exchange

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Stage is how far an exchange got before it failed.
type Stage uint8

// The stages.
const (
	Connect Stage = iota // nothing was sent
	Send                 // some of the request may have been sent
	Receive              // the request is out, the response isn't in
)

// Kind is what failed.
type Kind uint8

// The kinds.
const (
	Network     Kind = iota // the connection, or its time was over
	PeerRefused             // the peer's certificate or TLS version was refused, or it refused ours
	BadHTTP                 // the peer broke HTTP
	Source                  // the body couldn't be read: see SourceError
)

// Failure is why there is no response.
type Failure struct {
	Stage Stage
	Kind  Kind
	Err   error
}

// Fail returns a failure of kind Source if err is a SourceError, and of kind Network otherwise.
func Fail(stage Stage, err error) *Failure {
	f := &Failure{Stage: stage, Err: err}
	if _, ok := errors.AsType[*SourceError](err); ok {
		f.Kind = Source
	}
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// AsError returns f, and a nil error if f is nil.
func (f *Failure) AsError() error {
	if f == nil {
		return nil
	}
	return f
}

// ErrClosed is the error of a request that is begun after the transport was closed.
var ErrClosed = errors.New("delivery: client is closed")

// ErrUnfinished is the error of a push that the device answered with a success before it had the
// whole update, and whose rest it then didn't take.
var ErrUnfinished = errors.New("device answered before it had the whole update, and took no more of it")

// timeoutError is a timeout that implements net.Error.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }
func (timeoutError) Timeout() bool   { return true }

// The timeouts of Limits that have no error of package net.
const (
	ErrTooSlow         = timeoutError("device takes the artifact too slowly (Timeouts.LeastProgress)")
	ErrResponseTimeout = timeoutError("no answer within the answer timeout")
)

// IsTimeout reports whether err is a timeout, by the Timeout method that errors of package net
// have, and context.DeadlineExceeded.
func IsTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// IsRefusedPeer reports whether err means that the peer must not be trusted, because of its
// certificate, its name or its version of TLS.
func IsRefusedPeer(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true // no TLS at all
	}
	// crypto/tls has no type for its own refusal of a version or a cipher.
	return !IsTimeout(err) && strings.Contains(err.Error(), "tls: ")
}

// IsRefusedClient reports whether err is the alert of a peer that refuses our certificate, or wants
// one. In TLS 1.3 it comes in place of an answer, when the handshake is over on this side.
func IsRefusedClient(err error) bool {
	_, what, alert := strings.Cut(err.Error(), "remote error: tls: ") // crypto/tls has no type for it
	if !alert {
		return false
	}
	parts := []string{
		"certificate", "access denied", "handshake failure", "error decrypting message", "insufficient security",
	}
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(what, part) })
}

// IsPeerGone reports whether err comes from a write to a connection that the peer has closed or
// reset.
func IsPeerGone(err error) bool {
	if _, ours := errors.AsType[*SourceError](err); ours {
		return false
	}
	_, network := errors.AsType[*net.OpError](err)
	return network && !IsTimeout(err)
}

// IgnoreClosed returns nil for the error of a connection that was closed before, and err otherwise.
func IgnoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
