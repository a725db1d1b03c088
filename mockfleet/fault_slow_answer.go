package mockfleet

import "time"

// slow-answer: the answer comes after the delay.
func slowAnswer() kind {
	return kind{name: "slow-answer", level: levelAnswer, takes: takesOn | takesFirst | takesDelay, preset: lasting(time.Second), answer: late}
}

func late(c *conn, r *request, h answerHead, s strike) bool {
	return c.pause(s.delay()) && c.send(r, h)
}
