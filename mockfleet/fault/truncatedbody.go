package fault

// truncated-body: half the body that Content-Length announces comes, and then FIN.
func truncatedBody() Kind {
	return Kind{Name: "truncated-body", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: truncateBody}
}

func truncateBody(e Exchange, r *Response, _ Injection) bool {
	out := e.Encode(r)
	return writeLast(e, out[:len(out)-len(r.Body)/2])
}
