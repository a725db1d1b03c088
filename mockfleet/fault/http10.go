package fault

// http-1.0: the answer is HTTP/1.0 200 OK, and then FIN.
func http10() Kind {
	return Kind{Name: "http-1.0", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: respondHTTP10}
}

func respondHTTP10(e Exchange, r *Response, _ Injection) bool {
	r.HTTP10 = true
	return writeLast(e, encode(e, r))
}
