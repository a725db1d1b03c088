package fault

// truncated-json: half a JSON document, in an answer that is otherwise whole.
func truncatedJSON() Kind {
	return Kind{Name: "truncated-json", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: truncateJSON}
}

func truncateJSON(e Exchange, r *Response, _ Injection) bool {
	r.Body = r.Body[:len(r.Body)/2]
	return e.Send(r)
}
