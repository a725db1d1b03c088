package fault

// connect-stall: a connection to the device's port never completes, for the delay or, without one, for
// good. The port listens with a backlog that is full, so the kernel drops whoever knocks.
func connectStall() Kind {
	return Kind{Name: "connect-stall", Point: PointConnect, Params: ParamDelay, NeedsPort: true, Port: stallPort}
}

func stallPort(in Injection) PortState { return PortState{Show: PortStalled, For: in.Wait()} }
