package mockfleet

import (
	"bytes"
	"fmt"
)

// header-flood: header fields without end.
func headerFlood() kind {
	return kind{name: "header-flood", level: levelAnswer, takes: takesOn | takesFirst, answer: flood}
}

func flood(c *conn, _ *request, _ answerHead, _ strike) bool {
	if !c.write([]byte(statusLineOK)) {
		return false
	}
	piece := bytes.Repeat(fmt.Appendf(nil, "X-Flood: %01000d\r\n", 0), 16)
	return c.pour(piece)
}

// pour writes b again and again, until the connection ends; always false.
func (c *conn) pour(b []byte) bool {
	for c.write(b) {
		c.expire(stallLimit)
	}
	return false
}
