package fault

import "time"

// drip-answer: the answer comes one byte at a time, with the delay between two.
func dripAnswer() Kind {
	return Kind{
		Name: "drip-answer", Point: PointResponse, Params: ParamOn | ParamFirst | ParamDelay,
		Defaults: fixedDelay(100 * time.Millisecond), Respond: sendByteByByte,
	}
}

func sendByteByByte(e Exchange, r *Response, in Injection) bool {
	out := encode(e, r)
	for i := range out {
		if i > 0 && !e.Sleep(in.Wait()) || !e.Write(out[i:i+1]) {
			return false
		}
	}
	return !e.Request().Close && e.Request().BodyRead
}
