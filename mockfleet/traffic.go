package mockfleet

import "sync/atomic"

// traffic counts what passes over some of the connections.
type traffic struct {
	requests, malformed, in, out atomic.Uint64
	_                            [96]byte // keeps two of them out of one cache line, and of the line fetched with it
}

// trafficStripes spreads the counting over connections, so that these don't wait for each other.
type trafficStripes struct {
	turn    atomic.Uint32
	stripes [32]traffic
}

// next is the stripe for one more connection.
func (t *trafficStripes) next() *traffic {
	return &t.stripes[t.turn.Add(1)%uint32(len(t.stripes))]
}

func (t *trafficStripes) sum() (requests, malformed, in, out uint64) {
	for i := range t.stripes {
		s := &t.stripes[i]
		requests += s.requests.Load()
		malformed += s.malformed.Load()
		in += s.in.Load()
		out += s.out.Load()
	}
	return requests, malformed, in, out
}
