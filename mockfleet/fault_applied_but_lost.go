package mockfleet

// applied-but-lost: the device applies the update and closes without an answer.
func appliedButLost() kind {
	return kind{name: "applied-but-lost", level: levelAnswer, takes: takesFirst, answer: lost}
}

func lost(c *conn, _ *request, _ answerHead, _ strike) bool {
	c.endGently()
	return false
}
