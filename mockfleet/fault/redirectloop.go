package fault

import "net/http"

// redirect-loop: the answer is 307 to the path that was asked.
func redirectLoop() Kind {
	return Kind{
		Name: "redirect-loop", Point: PointResponse, Params: ParamFirst,
		Forced: ForceReject, Respond: redirectToItself,
	}
}

func redirectToItself(e Exchange, r *Response, _ Injection) bool {
	r.Status = http.StatusTemporaryRedirect
	r.Header = "Location: " + string(e.Request().Path) + "\r\n"
	return e.Send(r)
}
