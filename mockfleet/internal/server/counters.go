package server

import "sync/atomic"

// trafficCounters is a stripe of counters, for the traffic of some of the connections.
type trafficCounters struct {
	requests, malformed, in, out atomic.Uint64
	_                            [96]byte // keeps stripes apart by two cache lines, which are fetched together
}

// stripedCounters spreads connections over stripes of counters, so that connections seldom wait for
// each other's cache line.
type stripedCounters struct {
	turn    atomic.Uint32
	stripes [32]trafficCounters
}

// next returns the stripe for one more connection.
func (c *stripedCounters) next() *trafficCounters {
	return &c.stripes[c.turn.Add(1)%uint32(len(c.stripes))]
}

func (c *stripedCounters) sum() (requests, malformed, in, out uint64) {
	for i := range c.stripes {
		s := &c.stripes[i]
		requests += s.requests.Load()
		malformed += s.malformed.Load()
		in += s.in.Load()
		out += s.out.Load()
	}
	return requests, malformed, in, out
}

// Traffic counts what passed over the devices' connections since the start.
type Traffic struct {
	Requests           uint64 `json:"requests"`            // to devices, of every kind
	Malformed          uint64 `json:"malformed"`           // what came and was no request
	BytesIn            uint64 `json:"bytes_in"`            // over the devices' connections, heads included
	BytesOut           uint64 `json:"bytes_out"`           // sent over them
	Connections        uint64 `json:"connections"`         // open now
	ConnectionsTotal   uint64 `json:"connections_total"`   // accepted, refused ones included
	ConnectionsRefused uint64 `json:"connections_refused"` // closed at once: too many, from elsewhere, or to no device
	ConnectionsNoRoom  uint64 `json:"connections_no_room"` // of those, the ones that were too many
	AcceptErrors       uint64 `json:"accept_errors"`       // failures to accept, as for want of descriptors
}

// Traffic returns what passed over the connections so far.
func (s *Server) Traffic() Traffic {
	t := Traffic{AcceptErrors: s.acceptErrors.Load()}
	t.Requests, t.Malformed, t.BytesIn, t.BytesOut = s.traffic.sum()
	open, total, refused, noRoom := s.conns.counts()
	t.Connections, t.ConnectionsTotal, t.ConnectionsRefused, t.ConnectionsNoRoom = uint64(open), total, refused, noRoom
	return t
}
