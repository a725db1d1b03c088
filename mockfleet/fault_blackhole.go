package mockfleet

// blackhole: the device accepts, reads, and never answers. It ends with its client, or after the delay.
func blackhole() kind {
	return kind{name: "blackhole", level: levelPort, takes: takesFirst | takesDelay, act: silent{}}
}

type silent struct{}

func (silent) connect(c *conn, s strike) { c.swallow(s.delayOr(MaxDelay)) }
