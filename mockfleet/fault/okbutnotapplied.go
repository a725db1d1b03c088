package fault

// ok-but-not-applied: the device answers 200 with success. The ledger counts it in false_acks.
func okButNotApplied() Kind {
	return Kind{
		Name: "ok-but-not-applied", Point: PointResponse, Params: ParamFirst,
		Forced: ForceFalseAck, Respond: sendUnchanged,
	}
}

func sendUnchanged(e Exchange, r *Response, _ Injection) bool { return e.Send(r) }
