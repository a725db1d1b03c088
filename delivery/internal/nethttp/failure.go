package nethttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
)

// failure returns the failure that an error of net/http means. why is the timer's cause, and
// connected says that the request had a connection.
func failure(err, why error, connected bool) *exchange.Failure {
	switch {
	case why != nil && connected:
		return exchange.Fail(exchange.Receive, why)
	case why != nil:
		return exchange.Fail(exchange.Connect, why)
	case !connected && exchange.IsRefusedPeer(err) || exchange.IsRefusedClient(err):
		return &exchange.Failure{Stage: exchange.Connect, Kind: exchange.PeerRefused, Err: err}
	case !connected:
		return exchange.Fail(exchange.Connect, err)
	}
	f := exchange.Fail(exchange.Send, err)
	if isMalformed(err) {
		if a, ok := errors.AsType[*http1.Error](err); ok {
			err = a // what lean says
		}
		f.Err = &check.TruncatedError{Err: err}
		if f.Kind != exchange.Source {
			f.Kind = exchange.BadHTTP
		}
	}
	return f
}

// isMalformed reports whether net/http, or answerConn, refused an answer that is not HTTP. Some of
// the errors of net/http have no exported type.
func isMalformed(err error) bool {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return true
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return true // less came than was promised
	}
	if _, ok := errors.AsType[*http1.Error](err); ok {
		// In the middle of a body, an error that is not the connection's is the peer's.
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
