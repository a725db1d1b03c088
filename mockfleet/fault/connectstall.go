package fault

// connect-stall: the backlog of the device's port is full, so the kernel drops every SYN, for the
// delay or, without one, for good.
func connectStall() Kind {
	return Kind{Name: "connect-stall", Point: PointConnect, Params: ParamDelay, NeedsPort: true, Port: stallPort}
}

func stallPort(in Injection) PortState { return PortState{Show: PortStalled, For: in.Wait()} }
