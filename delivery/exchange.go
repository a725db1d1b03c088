package delivery

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// transport moves one request to a device and its answer back. Its errors are
// *exchangeError, so that how far the exchange came is always known.
type transport interface {
	roundTrip(ctx context.Context, x *exchange) error
	close()
}

// exchange is one request and its answer. It is reused: a dialect fills in the
// request, a transport fills in the answer, and nothing in it outlives exchangePool.put.
type exchange struct {
	// The request.
	to     target
	who    *identity // the device's own credentials; nil: it has none
	method string
	path   string
	header *header // what the dialect adds to every request of its kind; nil: nothing
	own    field   // and to this one; name "": nothing
	body   *Artifact
	rate   *byteRate // that the body keeps to; nil: none
	stamps *stamps   // of its phases; nil: nobody wants them
	expect bool      // ask before the body is sent (Expect: 100-continue)
	fresh  bool      // over a connection that nothing else was sent over

	// The answer. Its body has been read to the end, or the connection is closed.
	status      int
	answer      []byte
	contentType []byte
	retryAfter  []byte // all values, a line each
	date        []byte
	encoding    []byte      // Content-Encoding
	location    []byte      // of a redirect
	version     versionView // what a dialect read from it, for a verification

	kept   []byte // what the nethttp transport read
	fields []byte // and the header values in it

	// What the lean transport needs per request.
	deadline time.Time // of the whole
	got      httpAnswer
	head     []byte // of the request
}

type field struct{ name, value string }

// header is a part of requests that is made once, in both forms: for net/http, and for
// the wire, where the body's Content-Length is in it.
type header struct {
	fields []field
	lines  []byte
}

func newHeader(fields []field, contentLength int64) header {
	h := header{fields: fields}
	for _, f := range fields {
		h.lines = appendField(h.lines, f)
	}
	if contentLength > 0 {
		h.lines = appendField(h.lines, field{"Content-Length", strconv.FormatInt(contentLength, 10)})
	}
	return h
}

// exchangePool hands out exchanges; their buffers grow to what answers need,
// Config.MaxAnswer at most.
type exchangePool struct{ pool sync.Pool }

func (p *exchangePool) get() *exchange {
	if x, ok := p.pool.Get().(*exchange); ok {
		return x
	}
	return &exchange{}
}

func (p *exchangePool) put(x *exchange) {
	x.method, x.path, x.body, x.expect, x.fresh, x.stamps = "", "", nil, false, false, nil
	x.to, x.who, x.header, x.own, x.rate = target{}, nil, nil, field{}, nil
	x.forget()
	p.pool.Put(x)
}

// forget drops the answer: the next request of the same operation has its own.
func (x *exchange) forget() {
	x.status, x.answer, x.version = 0, nil, versionView{}
	x.contentType, x.retryAfter, x.date, x.encoding, x.location = nil, nil, nil, nil, nil
}

// isGet reports whether the request may be sent twice without harm.
func (x *exchange) isGet() bool { return x.method == http.MethodGet }
