package fault

// applied-but-lost: the device closes instead of answering (FIN).
func appliedButLost() Kind {
	return Kind{Name: "applied-but-lost", Point: PointResponse, Params: ParamFirst, Respond: dropResponse}
}

func dropResponse(e Exchange, _ *Response, _ Injection) bool {
	e.Close()
	return false
}
