package fault

// refuse: nothing listens at the device's port, which answers a SYN with RST, for the delay or,
// without one, for good.
func refuse() Kind {
	return Kind{Name: "refuse", Point: PointConnect, Params: ParamDelay, NeedsPort: true, Port: refuseConnections}
}

func refuseConnections(in Injection) PortState { return PortState{Show: PortClosed, For: in.Wait()} }
