package mockfleet

import "net/http"

// redirect-loop: a 307 to the very place that was asked.
func redirectLoop() kind {
	return kind{name: "redirect-loop", level: levelAnswer, takes: takesFirst, fate: fateRefused, answer: loop}
}

func loop(c *conn, r *request, h answerHead, _ strike) bool {
	h.status = http.StatusTemporaryRedirect
	h.extra = "Location: " + string(originPath(c.work.header.RequestURI())) + "\r\n"
	return c.send(r, h)
}
