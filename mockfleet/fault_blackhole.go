package mockfleet

// blackhole: the device accepts, reads, and never answers. It ends with its client, or after the delay.
func blackhole() kind {
	return kind{name: "blackhole", level: levelPort, takes: takesFirst | takesDelay, connect: silent}
}

func silent(c *conn, s strike) { c.swallow(s.delayOr(MaxDelay)) }
