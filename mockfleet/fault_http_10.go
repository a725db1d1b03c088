package mockfleet

import "bytes"

// http-1.0: the device answers HTTP/1.0, which ends the connection.
func http10() kind {
	return kind{name: "http-1.0", level: levelAnswer, takes: takesOn | takesFirst, act: oldHTTP{}}
}

type oldHTTP struct{}

func (oldHTTP) answer(c *conn, r *request, h answerHead, _ strike) bool {
	out := appendAnswer(nil, h, c.fleet.dateLine(), c.work.body, r.method == methodHead)
	return c.sendRaw(bytes.Replace(out, []byte("HTTP/1.1"), []byte("HTTP/1.0"), 1))
}
