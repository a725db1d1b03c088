package delivery

import (
	"iter"
	"net/http"
	"slices"
	"sync/atomic"
)

// Stats is what a Client has done since it was made. Counts of operations in
// flight are not in it yet.
type Stats struct {
	Requests     uint64 // requests sent, whole or in part
	Dials        uint64 // connections opened, or tried to
	Reused       uint64 // requests that went over a kept-alive connection
	BytesWritten uint64 // to connections, before TLS where the transport is lean, after it where it is nethttp
	BytesRead    uint64 // from connections, likewise
}

type counters struct{ requests, dials, reused, written, read atomic.Uint64 }

func (c *counters) snapshot() Stats {
	return Stats{c.requests.Load(), c.dials.Load(), c.reused.Load(), c.written.Load(), c.read.Load()}
}

// sortedHeader walks a header in the order of its names, so that requests are the
// same bytes every time.
func sortedHeader(h http.Header) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		names := make([]string, 0, len(h))
		for name := range h {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield(http.CanonicalHeaderKey(name), h[name]) {
				return
			}
		}
	}
}
