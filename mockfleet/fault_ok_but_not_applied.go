package mockfleet

// ok-but-not-applied: the device says that it applied the update, and didn't.
func okButNotApplied() kind {
	return kind{name: "ok-but-not-applied", level: levelAnswer, takes: takesFirst, fate: fateFeigned, answer: feint}
}

func feint(c *conn, r *request, h answerHead, _ strike) bool { return c.send(r, h) }
