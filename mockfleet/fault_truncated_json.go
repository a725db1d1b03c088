package mockfleet

// truncated-json: half a JSON document, in an answer that is otherwise whole.
func truncatedJSON() kind {
	return kind{name: "truncated-json", level: levelAnswer, takes: takesOn | takesFirst, answer: halfJSON}
}

func halfJSON(c *conn, r *request, h answerHead, _ strike) bool {
	c.work.body = c.work.body[:len(c.work.body)/2]
	return c.send(r, h)
}
