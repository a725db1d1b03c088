package opcost

import (
	"slices"

	"github.com/fleetmark/fleetmark/profiles"
)

// deliveryPackage and deliveryInternal begin the names of the functions of the client: those of
// package delivery and of the packages below it.
const (
	deliveryPackage  = "github.com/fleetmark/fleetmark/delivery."
	deliveryInternal = "github.com/fleetmark/fleetmark/delivery/internal/"
)

// DeliveryComponents returns the parts of package delivery, each with the names of the functions
// that allocate for it: its own, and those of the standard library that it calls. A name stands for
// every function that begins with it. Of the functions on a stack, the innermost with a component
// decides, by its longest name.
//
// A test fails if a name stands for no function any more, because what a renamed function allocates
// would move to another component without notice.
func DeliveryComponents() []profiles.Component {
	own := func(names ...string) []string {
		for i, n := range names {
			names[i] = deliveryPackage + n
		}
		return names
	}
	internal := func(names ...string) []string {
		for i, n := range names {
			names[i] = deliveryInternal + n
		}
		return names
	}
	return []profiles.Component{
		{Name: "request", Prefixes: slices.Concat(
			own("(*sessionPool).", "(*Client)."),
			internal("exchange.(*Trace).", "lean.requestOf", "nethttp.requestOf", "nethttp.newPooledRequest", "nethttp.(*transport).",
				"nethttp.(*pooledRequest)."),
			[]string{"net/http."},
		)},
		{Name: "headers", Prefixes: append(
			internal("exchange.AppendField", "http1.", "lean.(*request).appendHead", "lean.(*transport).receive",
				"nethttp.(*pooledRequest).fillHeader", "nethttp.(*request).keepField"),
			"net/http.Header.", "net/http.(*Header).", "net/http.newTransferWriter", "net/http.(*Request).write",
			"net/http.fixPragmaCacheControl", "net/textproto.", "vendor/golang.org/x/net/http/httpguts.", "mime.",
		)},
		{Name: "address", Prefixes: slices.Concat(
			own("Device."),
			internal("endpoint.", "nethttp.(*pooledRequest).fillURL"),
			[]string{
				"net/url.", "net/netip.", "net.ParseIP", "net.JoinHostPort", "net.SplitHostPort", "net.(*Resolver).",
				"net.parse", "net/http.canonicalAddr", "net/http.(*Transport).connectMethodForRequest",
				"net/http.(*connectMethod).", "net/http.idnaASCII",
			},
		)},
		{Name: "body buffer", Prefixes: append(
			internal("exchange.(*ChunkPool).", "lean.newConn", "lean.(*connPool).wrap", "nethttp.(*requestBody)."),
			"bufio.", "bytes.", "io.", "net/http.(*body).", "net/http.(*bodyEOFSignal).", "net/http.(*transferWriter).",
		)},
		{Name: "connection", Prefixes: append(
			internal("socket.", "lean.(*connPool).", "lean.(*conn).", "lean.(*transport).dial", "nethttp.newCountedConn",
				"nethttp.(*countedConn).", "nethttp.newAnswerConn", "nethttp.(*answerConn)."),
			"net.", "internal/poll.", "os.", "syscall.", "crypto/tls.", "internal/syscall/",
			"net/http.(*Transport).dialConn", "net/http.(*Transport).queueForDial", "net/http.(*Transport).getConn",
			"net/http.(*Transport).putOrCloseIdleConn", "net/http.(*Transport).tryPutIdleConn",
			"net/http.(*persistConn).", "net/http.(*wantConn)", "net/http.(*connLRU).",
		)},
		{Name: "context", Prefixes: append(
			internal("exchange.(*ContextWatch).", "nethttp.(*requestContext).", "nethttp.(*requestTimer)."),
			"context.", "time.", "net/http/httptrace.",
		)},
	}
}
