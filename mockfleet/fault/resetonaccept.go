package fault

// reset-on-accept: the device accepts and resets at once. Its client may see the RST while it
// still connects.
func resetOnAccept() Kind {
	return Kind{Name: "reset-on-accept", Point: PointConnect, Params: ParamFirst, Connect: resetConn}
}

func resetConn(c Conn, _ Injection) { c.Reset() }
