package lean

import (
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
)

// request is a request under way, with memory that the next one of its exchange uses again.
type request struct {
	*exchange.Request
	out   *exchange.Response
	trace *exchange.Trace

	deadline time.Time // of the whole exchange
	response http1.Response
	head     []byte // as it goes over the wire
}

// requestOf returns the request of an exchange.
func requestOf(x *exchange.Exchange) *request {
	r, ok := x.Scratch.(*request)
	if !ok {
		r = &request{Request: &x.Request, out: &x.Response}
		x.Scratch = r
	}
	r.trace = x.Trace
	return r
}

// fitsSingleWrite reports whether head and body go out in one write.
func (r *request) fitsSingleWrite() bool {
	return r.Body == nil || r.Body.Memory != nil && r.Body.Size <= exchange.SingleWrite && !r.Expect
}

// appendHead appends the request line and the header, with the blank line. common is the header of
// requests without an Identity. No part can end its line, because package delivery has validated
// all parts. Writing the head by hand takes half the time of a general writer, which collects the
// fields first.
func (r *request) appendHead(b []byte, common *exchange.CommonHeader) []byte {
	if r.Identity != nil {
		common = &r.Identity.Header
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.To.PathPrefix...)
	b = append(b, r.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.To.Host...)
	b = append(b, "\r\n"...)
	b = append(b, common.Lines...)
	if r.Header != nil {
		b = append(b, r.Header.Lines...)
	}
	if r.Own.Name != "" {
		b = exchange.AppendField(b, r.Own)
	}
	if r.Expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return append(b, "\r\n"...)
}
