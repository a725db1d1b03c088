package fault

import (
	"bytes"
	"fmt"
)

// header-flood: the answer has header fields of 1 KB without end.
func headerFlood() Kind {
	return Kind{Name: "header-flood", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: sendEndlessHeader}
}

func sendEndlessHeader(e Exchange, _ *Response, _ Injection) bool {
	if !e.Write([]byte(statusOK)) {
		return false
	}
	piece := bytes.Repeat(fmt.Appendf(nil, "X-Flood: %01000d\r\n", 0), 16)
	return writeForever(e, piece)
}

// writeForever writes b again and again, until the connection ends. It returns false.
func writeForever(c Conn, b []byte) bool {
	for c.Write(b) {
	}
	return false
}
