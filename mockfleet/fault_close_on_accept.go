package mockfleet

// close-on-accept: the device accepts and closes before a byte.
func closeOnAccept() kind {
	return kind{name: "close-on-accept", level: levelPort, takes: takesFirst, connect: closing}
}

func closing(c *conn, _ strike) { c.endGently() }
