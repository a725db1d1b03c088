package mockfleet

// close-on-accept: the device accepts and closes before a byte.
func closeOnAccept() kind {
	return kind{name: "close-on-accept", level: levelPort, takes: takesFirst, act: closing{}}
}

type closing struct{}

func (closing) connect(c *conn, _ strike) { c.endGently() }
