package opcost

import "github.com/fleetmark/fleetmark/profiles"

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
		{Name: "request", Prefixes: append(
			own("(*exchangePool).", "(*Client).", "newCall", "(*netHTTP).", "(*call).", "(*trace)."),
			"net/http.",
		)},
		{Name: "headers", Prefixes: append(
			append(own("(*lean).appendHead", "appendField", "(*call).fillHeader", "(*lean).receive",
				"(*exchange).keepField"), internal("http1.")...),
			"net/http.Header.", "net/http.(*Header).", "net/http.newTransferWriter", "net/http.(*Request).write",
			"net/http.fixPragmaCacheControl", "net/textproto.", "vendor/golang.org/x/net/http/httpguts.", "mime.",
		)},
		{Name: "address", Prefixes: append(
			append(own("Device.", "(*call).fillURL"), internal("endpoint.")...),
			"net/url.", "net/netip.",
			"net.ParseIP", "net.JoinHostPort", "net.SplitHostPort", "net.(*Resolver).",
			"net.parse", "net/http.canonicalAddr", "net/http.(*Transport).connectMethodForRequest",
			"net/http.(*connectMethod).", "net/http.idnaASCII",
		)},
		{Name: "body buffer", Prefixes: append(
			own("(*chunkPool).", "(*requestBody).", "newConn", "(*connPool).adopt"),
			"bufio.", "bytes.", "io.", "net/http.(*body).", "net/http.(*bodyEOFSignal).", "net/http.(*transferWriter).",
		)},
		{Name: "connection", Prefixes: append(
			append(own("(*connPool).", "(*conn).", "(*lean).dial", "dialWithin", "newCountedConn",
				"(*countedConn).", "newAnswerConn", "(*answerConn)."), internal("socket.")...),
			"net.", "internal/poll.", "os.", "syscall.", "crypto/tls.", "internal/syscall/",
			"net/http.(*Transport).dialConn", "net/http.(*Transport).queueForDial", "net/http.(*Transport).getConn",
			"net/http.(*Transport).putOrCloseIdleConn", "net/http.(*Transport).tryPutIdleConn",
			"net/http.(*persistConn).", "net/http.(*wantConn)", "net/http.(*connLRU).",
		)},
		{Name: "context", Prefixes: append(
			own("(*conn).watch", "(*call).watch", "(*callContext).", "(*requestTimer)."),
			"context.", "time.", "net/http/httptrace.",
		)},
	}
}
