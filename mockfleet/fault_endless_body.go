package mockfleet

import (
	"bytes"
	"fmt"
)

// endless-body: an answer without end.
func endlessBody() kind {
	return kind{name: "endless-body", level: levelAnswer, takes: takesOn | takesFirst, answer: endless}
}

func endless(c *conn, _ *request, h answerHead, _ strike) bool {
	if !c.write([]byte(statusLineOK + h.typeLine + "Transfer-Encoding: chunked\r\n\r\n")) {
		return false
	}
	const size = 16 << 10
	return c.pour(fmt.Appendf(nil, "%x\r\n%s\r\n", size, bytes.Repeat([]byte(" "), size)))
}
