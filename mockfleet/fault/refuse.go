package fault

// refuse: nothing listens at the device's port, for the delay or, without one, for good.
func refuse() Kind {
	return Kind{Name: "refuse", Point: PointConnect, Params: ParamDelay, NeedsPort: true, Port: refuseConnections}
}

func refuseConnections(in Injection) PortState { return PortState{Show: PortClosed, For: in.Wait()} }
