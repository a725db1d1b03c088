package mockfleet

// no-continue: the device ignores Expect: 100-continue, and waits for the body.
func noContinue() kind {
	return kind{name: "no-continue", level: levelUpload, takes: takesFirst, act: deafToExpect{}}
}

type deafToExpect struct{}

func (deafToExpect) strikes(w *workspace, _ strike) bool { return w.request.expect == expectContinue }

func (deafToExpect) upload(_ *conn, r *request, _ *push, _ strike) verdict {
	r.expect = expectNothing
	return carryOn
}
