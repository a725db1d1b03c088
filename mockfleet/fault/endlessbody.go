package fault

import (
	"bytes"
	"fmt"
)

// endless-body: the answer has a chunked body without end.
func endlessBody() Kind {
	return Kind{Name: "endless-body", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: sendEndlessBody}
}

func sendEndlessBody(e Exchange, r *Response, _ Injection) bool {
	if !e.Write([]byte(statusOK + r.ContentType + "Transfer-Encoding: chunked\r\n\r\n")) {
		return false
	}
	const size = 16 << 10
	return writeForever(e, fmt.Appendf(nil, "%x\r\n%s\r\n", size, bytes.Repeat([]byte(" "), size)))
}
