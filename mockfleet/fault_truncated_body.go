package mockfleet

// truncated-body: the device announces a longer answer than comes, and closes.
func truncatedBody() kind {
	return kind{name: "truncated-body", level: levelAnswer, takes: takesOn | takesFirst, answer: truncated}
}

func truncated(c *conn, _ *request, h answerHead, _ strike) bool {
	out := appendAnswer(nil, h, c.fleet.dateLine(), c.work.body, false)
	return c.sendRaw(out[:len(out)-len(c.work.body)/2])
}
