package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
)

// isRefusedPeer tells a peer that must not be trusted (certificate, name, TLS
// version) from one that can't be reached.
func isRefusedPeer(err error) bool {
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
	return !isTimeout(err) && strings.Contains(err.Error(), "tls: ")
}

// isRefusedClient reports a peer that doesn't take our certificate, or wants one. In
// TLS 1.3 it says so when the handshake is over on this side, in place of an answer.
func isRefusedClient(err error) bool {
	_, what, alert := strings.Cut(err.Error(), "remote error: tls: ") // crypto/tls has no type for it
	if !alert {
		return false
	}
	for _, part := range []string{"certificate", "access denied", "handshake failure", "error decrypting message", "insufficient security"} {
		if strings.Contains(what, part) {
			return true
		}
	}
	return false
}

// isMalformed reports net/http's refusal of an answer that is not HTTP. Some of
// those errors have no exported type.
func isMalformed(err error) bool {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return true
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return true // less came than was promised
	}
	if _, ok := errors.AsType[*answerError](err); ok {
		// In the middle of a body, what isn't the connection's failure is the peer's.
		_, network := errors.AsType[net.Error](err)
		return !network && !errors.Is(err, context.Canceled)
	}
	text := err.Error()
	for _, part := range []string{
		"malformed HTTP", "malformed MIME", "response headers exceeded", "invalid header", "malformed chunked",
		"invalid Content-Length", "invalid empty Content-Length", "bad Content-Length", "multiple Content-Length headers",
		"too many transfer encodings", "unsupported transfer encoding", "too many 1xx",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[timeouter](err)
	return ok && t.Timeout()
}

// isPeerGone reports a write that failed because the other side closed or reset.
func isPeerGone(err error) bool {
	if _, ours := errors.AsType[*artifactError](err); ours {
		return false
	}
	_, network := errors.AsType[*net.OpError](err)
	return network && !isTimeout(err)
}
