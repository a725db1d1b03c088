package delivery

import (
	"context"
	"net/http"
	"sync"

	"github.com/valyala/fasthttp"
)

// transport moves one request to a device and its answer back. Its errors are
// *exchangeError, so that how far the exchange came is always known.
type transport interface {
	roundTrip(ctx context.Context, to target, x *exchange) error
	close()
}

// exchange is one request and its answer. It is reused: a dialect fills in the
// request, a transport fills in the answer, and nothing in it outlives release.
type exchange struct {
	// The request.
	method string
	path   string
	header [5]field // what the dialect adds; name "" ends it early
	body   *Artifact
	stamps *stamps // of its phases; nil: nobody wants them
	expect bool    // ask before the body is sent (Expect: 100-continue)

	// The answer. Its body has been read to the end, or the connection is closed.
	status      int
	answer      []byte
	contentType []byte
	retryAfter  []byte
	date        []byte
	encoding    []byte      // Content-Encoding
	location    []byte      // of a redirect
	version     versionView // what a dialect read from it, for a verification

	kept   []byte // what the nethttp transport read
	fields []byte // and the header values in it

	// What the lean transport needs per request.
	response fasthttp.Response
	head     []byte
}

type field struct{ name, value string }

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
	x.method, x.path, x.body, x.expect, x.stamps = "", "", nil, false, nil
	x.header = [5]field{}
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
