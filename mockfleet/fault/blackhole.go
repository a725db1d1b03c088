package fault

import "github.com/fleetmark/fleetmark/mockfleet/random"

// blackhole: the device accepts, reads, and never answers. It ends with its client, or after the delay.
func blackhole() Kind {
	return Kind{Name: "blackhole", Point: PointConnect, Params: ParamFirst | ParamDelay, Connect: discardInput}
}

func discardInput(c Conn, in Injection) { c.Discard(in.WaitOr(random.MaxDuration)) }
