package mockfleet

// close-mid-upload: the device closes after so many bytes of the body.
func closeMidUpload() kind {
	return kind{name: "close-mid-upload", level: levelUpload, takes: takesFirst | takesAfter, upload: closeMid}
}

func closeMid(c *conn, r *request, p *push, s strike) verdict {
	c.receivePart(r, p, s.afterBytes())
	c.lose(r, p)
	c.endGently()
	return ended
}
