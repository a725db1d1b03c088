package mockfleet

// http-1.0: the device answers HTTP/1.0, which ends the connection.
func http10() kind {
	return kind{name: "http-1.0", level: levelAnswer, takes: takesOn | takesFirst, answer: oldHTTP}
}

func oldHTTP(c *conn, r *request, h answerHead, _ strike) bool {
	h.old = true
	return c.sendRaw(appendAnswer(nil, h, c.fleet.dateLine(), c.work.body, r.method == methodHead))
}
