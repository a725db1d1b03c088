package mockfleet

// wrong-content-type: HTML where JSON belongs, as of a captive portal.
func wrongContentType() kind {
	return kind{name: "wrong-content-type", level: levelAnswer, takes: takesOn | takesFirst, answer: html}
}

func html(c *conn, r *request, h answerHead, _ strike) bool {
	h.typeLine = "Content-Type: text/html; charset=utf-8\r\n"
	c.work.body = append(c.work.body[:0], "<!DOCTYPE html><title>Welcome</title><p>success: true, all is well"...)
	return c.send(r, h)
}
