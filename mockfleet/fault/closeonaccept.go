package fault

// close-on-accept: the device accepts and closes before a byte (FIN).
func closeOnAccept() Kind {
	return Kind{Name: "close-on-accept", Point: PointConnect, Params: ParamFirst, Connect: closeConn}
}

func closeConn(c Conn, _ Injection) { c.Close() }
