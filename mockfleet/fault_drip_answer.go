package mockfleet

import "time"

// drip-answer: the answer comes one byte at a time, the delay lying between two.
func dripAnswer() kind {
	return kind{
		name: "drip-answer", level: levelAnswer, takes: takesOn | takesFirst | takesDelay,
		preset: lasting(100 * time.Millisecond), answer: drip,
	}
}

func drip(c *conn, r *request, h answerHead, s strike) bool {
	c.work.out = appendAnswer(c.work.out[:0], h, c.fleet.dateLine(), c.work.body, r.method == methodHead)
	for i := range c.work.out {
		if i > 0 && !c.pause(s.delay()) || !c.write(c.work.out[i:i+1]) {
			return false
		}
	}
	return !r.close && r.bodyTaken
}
