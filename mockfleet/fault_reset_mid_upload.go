package mockfleet

// reset-mid-upload: the device resets after so many bytes of the body.
func resetMidUpload() kind {
	return kind{name: "reset-mid-upload", level: levelUpload, takes: takesFirst | takesAfter, upload: resetMid}
}

func resetMid(c *conn, r *request, p *push, s strike) verdict {
	c.receivePart(r, p, s.afterBytes())
	c.lose(r, p)
	c.reset()
	return ended
}
