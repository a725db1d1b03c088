package fault

// wrong-content-type: the answer is 200 with HTML instead of JSON, as from a captive portal.
func wrongContentType() Kind {
	return Kind{Name: "wrong-content-type", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: respondHTML}
}

func respondHTML(e Exchange, r *Response, _ Injection) bool {
	r.ContentType = "Content-Type: text/html; charset=utf-8\r\n"
	r.Body = append(r.Body[:0], "<!DOCTYPE html><title>Welcome</title><p>success: true, all is well"...)
	return e.Send(r)
}
