package mockfleet

// stall-mid-upload: the device stops reading after so many bytes of the body. It gives the update up at once,
// and the connection when its client leaves, or after the delay.
func stallMidUpload() kind {
	return kind{
		name: "stall-mid-upload", level: levelUpload, takes: takesFirst | takesAfter | takesDelay,
		preset: lasting(hangLimit), upload: stallMid,
	}
}

func stallMid(c *conn, r *request, p *push, s strike) verdict {
	c.shrink(smallBuffer)
	whole := c.receivePart(r, p, s.afterBytes())
	c.lose(r, p)
	if whole {
		c.deadline.Store(0)
		c.hang(s.delay())
	}
	c.reset()
	return ended
}
