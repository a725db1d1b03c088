// Package exchange has what the transports share. A transport gets an Exchange whose Request is
// filled in, moves the request to a device, and fills in the Response or returns a Failure that
// says how far it came. What a response means, and whether a request is tried again, is for package
// delivery: nothing here knows of updates, classes of errors or retries.
package exchange

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Transport moves requests to devices and their responses back. It is safe for concurrent use.
type Transport interface {
	// RoundTrip sends x.Request and reads the whole response, up to its limits, into x.Response. It
	// sends the request a second time only if the device can't have got a byte of it, or if it is a
	// GET. A redirect is a response. The failure is nil if there is a response.
	RoundTrip(ctx context.Context, x *Exchange) *Failure
	// Close closes the connections that no request uses; those in use are closed as their requests
	// end.
	Close()
}

// Exchange is one request and its response. It may be used again after a Reset.
type Exchange struct {
	Request  Request
	Response Response
	Trace    *Trace // of its phases; nil: nobody wants them
	Scratch  any    // memory that the transport keeps between exchanges
}

// Request is what is sent. The transport reads it and changes nothing.
type Request struct {
	To       endpoint.Target
	Identity *Identity // the device's own credentials; nil: it has none
	Method   string
	Path     string
	Header   *Header // what every request of its kind says; nil: nothing
	Own      Field   // a field of this request alone; none if its Name is ""
	Body     *Body
	Rate     *pacing.ByteRate // that the body keeps to; nil: none
	Expect   bool             // ask before the body is sent (Expect: 100-continue)
	Fresh    bool             // over a connection that nothing else was sent over
}

// IsReplayable reports whether the request may be sent twice without harm.
func (r *Request) IsReplayable() bool { return r.Method == http.MethodGet }

// Response is a response that was read to its end. Its bytes are valid until the Exchange is used
// for another request.
type Response struct {
	Status          int
	Body            []byte
	ContentType     []byte
	ContentEncoding []byte
	RetryAfter      []byte // all values, a line each
	Date            []byte
	Location        []byte // of a redirect
}

// Reset drops request and response, and keeps the transport's memory.
func (x *Exchange) Reset() { x.Request, x.Response, x.Trace = Request{}, Response{}, nil }

// Counters hold what a transport counts. Over lean, the requests and bytes of an exchange are
// counted when it has ended.
type Counters struct {
	Requests, Dials, Reused, Written, Read atomic.Uint64
}
