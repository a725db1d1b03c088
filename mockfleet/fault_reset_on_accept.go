package mockfleet

// reset-on-accept: the device accepts and resets at once.
func resetOnAccept() kind {
	return kind{name: "reset-on-accept", level: levelPort, takes: takesFirst, connect: resetting}
}

func resetting(c *conn, _ strike) { c.reset() }
