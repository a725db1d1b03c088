package fault

import "time"

// slow-answer: the answer comes after the delay.
func slowAnswer() Kind {
	return Kind{
		Name: "slow-answer", Point: PointResponse, Params: ParamOn | ParamFirst | ParamDelay,
		Defaults: fixedDelay(time.Second), Respond: delayResponse,
	}
}

func delayResponse(e Exchange, r *Response, in Injection) bool {
	return e.Sleep(in.Wait()) && e.Send(r)
}
