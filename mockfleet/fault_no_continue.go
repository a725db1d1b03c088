package mockfleet

// no-continue: the device ignores Expect: 100-continue, and waits for the body.
func noContinue() kind {
	return kind{name: "no-continue", level: levelUpload, takes: takesFirst, upload: deafToExpect, strikes: expectsContinue}
}

func expectsContinue(w *workspace, _ strike) bool { return w.request.expect == expectContinue }

func deafToExpect(_ *conn, r *request, _ *push, _ strike) verdict {
	r.expect = expectNothing
	return carryOn
}
