package server

import "sync/atomic"

// trafficCounters counts what passes over some of the connections.
type trafficCounters struct {
	requests, malformed, in, out atomic.Uint64
	_                            [96]byte // keeps two of them out of one cache line, and of the line fetched with it
}

// stripedCounters spreads the counting over connections, so that these don't wait for each other.
type stripedCounters struct {
	turn    atomic.Uint32
	stripes [32]trafficCounters
}

// next is the stripe for one more connection.
func (t *stripedCounters) next() *trafficCounters {
	return &t.stripes[t.turn.Add(1)%uint32(len(t.stripes))]
}

func (t *stripedCounters) sum() (requests, malformed, in, out uint64) {
	for i := range t.stripes {
		s := &t.stripes[i]
		requests += s.requests.Load()
		malformed += s.malformed.Load()
		in += s.in.Load()
		out += s.out.Load()
	}
	return requests, malformed, in, out
}

// Traffic is what passed over the connections since the start.
type Traffic struct {
	Requests           uint64
	Malformed          uint64
	BytesIn            uint64
	BytesOut           uint64
	Connections        uint64
	ConnectionsTotal   uint64
	ConnectionsRefused uint64
	ConnectionsNoRoom  uint64
	AcceptErrors       uint64
}

// Traffic returns what passed over the connections so far.
func (s *Server) Traffic() Traffic {
	t := Traffic{AcceptErrors: s.acceptErrors.Load()}
	t.Requests, t.Malformed, t.BytesIn, t.BytesOut = s.traffic.sum()
	open, total, refused, noRoom := s.conns.counts()
	t.Connections, t.ConnectionsTotal, t.ConnectionsRefused, t.ConnectionsNoRoom = uint64(open), total, refused, noRoom
	return t
}
