package mockfleet

// slow-read: the device reads the body at a rate, through a receive buffer so small that the client feels it.
func slowRead() kind {
	return kind{name: "slow-read", level: levelUpload, takes: takesFirst | takesRate, needsRate: true, upload: slow}
}

func slow(c *conn, _ *request, p *push, s strike) verdict {
	c.slow(p, s.rate())
	return carryOn
}
