package delivery

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// transport moves one request to a device and its answer back. Its errors are
// *exchangeError, so that how far the exchange came is always known.
type transport interface {
	roundTrip(ctx context.Context, x *exchange) error
	close()
}

// exchange is one request and its answer. It is reused: a protocol fills in the
// request, a transport fills in the answer, and nothing in it outlives exchangePool.put.
type exchange struct {
	// The request.
	to     endpoint.Target
	who    *identity // the device's own credentials; nil: it has none
	method string
	path   string
	header *header // what the protocol adds to every request of its kind; nil: nothing
	own    field   // and to this one; name "": nothing
	body   *Artifact
	rate   *pacing.ByteRate // that the body keeps to; nil: none
	trace  *trace           // of its phases; nil: nobody wants them
	expect bool             // ask before the body is sent (Expect: 100-continue)
	fresh  bool             // over a connection that nothing else was sent over

	// The answer. Its body has been read to the end, or the connection is closed.
	status      int
	answer      []byte
	contentType []byte
	retryAfter  []byte // all values, a line each
	date        []byte
	encoding    []byte      // Content-Encoding
	location    []byte      // of a redirect
	version     versionView // what a protocol read from it, for a verification

	kept   []byte // what the nethttp transport read
	fields []byte // and the header values in it

	// What the lean transport needs per request.
	deadline time.Time // of the whole
	got      http1.Response
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
	x.method, x.path, x.body, x.expect, x.fresh, x.trace = "", "", nil, false, false, nil
	x.to, x.who, x.header, x.own, x.rate = endpoint.Target{}, nil, nil, field{}, nil
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

// appendHead appends a request's first lines, to the blank one. They are written by hand, for half
// the time that a general writer takes to keep and then write them: what goes in has been checked
// before (Device.target, NewUpdate, Config.Validate), so that nothing in it can end a line.
func (l *lean) appendHead(b []byte, x *exchange) []byte {
	b = append(b, x.method...)
	b = append(b, ' ')
	b = append(b, x.to.PathPrefix...)
	b = append(b, x.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, x.to.Host...)
	b = append(b, "\r\n"...)
	if x.who != nil {
		b = append(b, x.who.lines.lines...)
	} else {
		b = append(b, l.header.lines...)
	}
	if x.header != nil {
		b = append(b, x.header.lines...)
	}
	if x.own.name != "" {
		b = appendField(b, x.own)
	}
	if x.expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, f field) []byte {
	b = append(b, f.name...)
	b = append(b, ": "...)
	b = append(b, f.value...)
	return append(b, "\r\n"...)
}

// sortedHeader yields the fields of a header in the order of their names, so that requests are the
// same bytes every time.
func sortedHeader(h http.Header) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if !yield(http.CanonicalHeaderKey(name), h[name]) {
				return
			}
		}
	}
}
