package fault

// truncated-body: the device announces a longer answer than comes, and closes.
func truncatedBody() Kind {
	return Kind{Name: "truncated-body", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: truncateBody}
}

func truncateBody(e Exchange, r *Response, _ Injection) bool {
	out := e.Encode(r)
	return writeLast(e, out[:len(out)-len(r.Body)/2])
}
