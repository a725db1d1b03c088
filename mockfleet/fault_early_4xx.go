package mockfleet

import "net/http"

// early-4xx: the device answers after so many bytes of the body, and closes.
func early4xx() kind {
	return kind{
		name: "early-4xx", level: levelUpload, takes: takesFirst | takesAfter | takesStatus,
		preset: Fault{Status: http.StatusForbidden}, upload: early,
	}
}

func early(c *conn, r *request, p *push, s strike) verdict {
	if !c.receivePart(r, p, s.afterBytes()) {
		c.lose(r, p)
		return ended
	}
	r.close = true
	p.refusal = refusal{s.Status, "refused before it was all there"}
	return refused
}
