package opcost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
)

// Allocations are what N operations allocated in the client's process.
type Allocations struct {
	Kind
	N int `json:"n"`

	// Objects and Bytes are the runtime's own counts (runtime.MemStats), which are what
	// allocs/op and B/op come from.
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`

	// Profile divides what the profile saw. It misses an object of under 16 bytes without
	// pointers that found room in a block with others; see Unseen.
	Profile profiles.Breakdown `json:"profile"`
}

// Unseen returns what the runtime counted and the profile did not see.
func (a *Allocations) Unseen() (objects, bytes int64) {
	return a.Objects - a.Profile.Objects, a.Bytes - a.Profile.Bytes
}

// allocations measures again what contradicts itself: the runtime allocates too, for a thread that
// it starts, and what it does between where its counts are read and where the profile begins
// or ends is in one of the two only. A real contradiction stays.
func (b *bench) allocations(ctx context.Context, k Kind) (*Allocations, error) {
	const tries = 4
	for try := 1; ; try++ {
		a, err := b.allocationsOnce(ctx, k)
		if err != nil {
			return nil, err
		}
		objects, _ := a.Unseen()
		if objects >= 0 {
			return a, nil
		}
		if try == tries {
			return nil, fmt.Errorf("%s: the profile saw %d objects, and the runtime counted %d, %d times in a row: the breakdown can't be believed", k, a.Profile.Objects, a.Objects, tries)
		}
	}
}

func (b *bench) allocationsOnce(ctx context.Context, k Kind) (_ *Allocations, err error) {
	// Two collections empty the client's pools, and so few operations would bear what it
	// takes to fill them again. The capture's own one leaves them what they have.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	c, err := b.client(ctx, k, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	dir, err := os.MkdirTemp("", "fleetmark-opcost-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var before, after runtime.MemStats
	settle(ctx, &before) // what the warmup's connections still allocate isn't of what follows
	capture, err := profiles.Start(ctx, dir, 1, profiles.Config{Kinds: []profiles.Kind{profiles.Allocs}})
	if err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	ran := b.run(ctx, c, k, 0, b.operations)
	settle(ctx, &after) // what the last connection's goroutines allocate is
	if _, err := capture.Stop(); err != nil || ran != nil {
		return nil, errors.Join(ran, err)
	}
	parts, err := profiles.BreakDown(filepath.Join(dir, "allocs.1.pb.gz"), profiles.BreakdownOptions{
		Components: components(), Caller: deliveryPackage, Sites: 5,
	})
	if err != nil {
		return nil, err
	}
	return &Allocations{
		Kind: k, N: b.operations, Profile: *parts,
		Objects: int64(after.Mallocs - before.Mallocs), Bytes: int64(after.TotalAlloc - before.TotalAlloc),
	}, nil
}

// settle waits until nothing has been allocated for a while, but at most a second, and reads the counts.
func settle(ctx context.Context, counts *runtime.MemStats) {
	const (
		pause = 2 * time.Millisecond
		quiet = 5 // readings alike
		most  = 500
	)
	runtime.ReadMemStats(counts)
	for alike, tries := 0, 0; alike < quiet && tries < most && ctx.Err() == nil; tries++ {
		time.Sleep(pause)
		last := counts.Mallocs
		if runtime.ReadMemStats(counts); counts.Mallocs == last {
			alike++
		} else {
			alike = 0
		}
	}
}

const deliveryPackage = "github.com/fleetmark/fleetmark/delivery."

// components say which functions allocate for what. The innermost function that one knows decides.
func components() []profiles.Component {
	own := func(names ...string) []string {
		for i, n := range names {
			names[i] = deliveryPackage + n
		}
		return names
	}
	return []profiles.Component{
		{Name: "request", Prefixes: append(own("(*exchangePool).", "(*Client).", "newCall", "(*netHTTP).", "(*call).", "(*stamps)."),
			"net/http.", "github.com/valyala/fasthttp.")},
		{Name: "headers", Prefixes: append(own("(*lean).appendHead", "appendField", "(*call).fillHeader", "(*lean).receive", "(*httpAnswer).", "(*exchange).keepField"),
			"net/http.Header.", "net/http.(*Header).", "net/http.newTransferWriter", "net/http.(*Request).write", "net/http.fixPragmaCacheControl", "net/textproto.",
			"github.com/valyala/fasthttp.(*ResponseHeader).", "golang.org/x/net/http/httpguts.", "vendor/golang.org/x/net/http/httpguts.", "mime.")},
		{Name: "address", Prefixes: append(own("parseTarget", "Device.", "target.", "(*call).fillURL"),
			"net/url.", "net/netip.", "net.ParseIP", "net.JoinHostPort", "net.SplitHostPort", "net.(*Resolver).", "net.resolve", "net.parse", "net.internetAddr", "net/http.canonicalAddr", "net/http.(*Transport).connectMethodForRequest", "net/http.(*connectMethod).", "net/http.connectMethod.", "net/http.idnaASCII")},
		{Name: "body buffer", Prefixes: append(own("(*chunkPool).", "(*requestBody).", "newConn", "(*connPool).adopt"),
			"bufio.", "bytes.", "io.", "net/http.(*body).", "net/http.(*bodyEOFSignal).", "net/http.(*transferWriter).", "github.com/valyala/bytebufferpool.")},
		{Name: "connection", Prefixes: append(own("(*connPool).", "(*conn).", "(*lean).dial", "dialWithin", "(*probe).", "(*trip).", "newCountedConn", "(*countedConn).", "newAnswerConn", "(*answerConn)."),
			"net.", "internal/poll.", "os.", "syscall.", "crypto/tls.", "internal/syscall/",
			"net/http.(*Transport).dialConn", "net/http.(*Transport).queueForDial", "net/http.(*Transport).getConn", "net/http.(*Transport).putOrCloseIdleConn", "net/http.(*Transport).tryPutIdleConn", "net/http.(*persistConn).", "net/http.(*wantConn)", "net/http.(*connLRU).")},
		{Name: "context", Prefixes: append(own("(*conn).watch", "(*call).watch", "(*callContext).", "(*callClock)."),
			"context.", "time.", "net/http/httptrace.", "net/http.setRequestCancel")},
	}
}
