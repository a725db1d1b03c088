package fault

// offline: a port refuses connections for good; where devices share a listener, they are reset as
// they are accepted. Connections that were open are reset when they are used.
func offline() Kind {
	return Kind{Name: "offline", Point: PointConnect, Permanent: true, Port: closePort, Connect: resetConn}
}

func closePort(Injection) PortState { return PortState{Show: PortClosed} }
