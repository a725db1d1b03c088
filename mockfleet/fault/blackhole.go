package fault

import "github.com/fleetmark/fleetmark/mockfleet/random"

// blackhole: the device accepts, reads everything and never answers, until its client leaves or
// the delay ends, which is an hour by default.
func blackhole() Kind {
	return Kind{Name: "blackhole", Point: PointConnect, Params: ParamFirst | ParamDelay, Connect: discardInput}
}

func discardInput(c Conn, in Injection) { c.Discard(in.WaitOr(random.MaxDuration)) }
