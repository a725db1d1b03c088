package fault

// truncated-json: the body is half a JSON document, with the right Content-Length.
func truncatedJSON() Kind {
	return Kind{Name: "truncated-json", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: truncateJSON}
}

func truncateJSON(e Exchange, r *Response, _ Injection) bool {
	r.Body = r.Body[:len(r.Body)/2]
	return e.Send(r)
}
