package fault

// ok-but-not-applied: the device says that it applied the update, and didn't.
func okButNotApplied() Kind {
	return Kind{
		Name: "ok-but-not-applied", Point: PointResponse, Params: ParamFirst,
		Forced: ForceFalseAck, Respond: sendUnchanged,
	}
}

func sendUnchanged(e Exchange, r *Response, _ Injection) bool { return e.Send(r) }
