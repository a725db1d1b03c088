package fault

// offline: the device is gone for good. A port refuses; where devices share a listener, connections are
// reset as they are accepted. Connections that were open before are reset when they are used.
func offline() Kind {
	return Kind{Name: "offline", Point: PointConnect, Permanent: true, Port: closePort, Connect: resetConn}
}

func closePort(Injection) PortState { return PortState{Show: PortClosed} }
