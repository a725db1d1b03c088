package fault

// no-continue: the device ignores Expect: 100-continue, and reads the body when it comes.
func noContinue() Kind {
	return Kind{Name: "no-continue", Point: PointUpload, Params: ParamFirst, Upload: skipContinue, When: expectsContinue}
}

func expectsContinue(r *Request, _ Injection) bool { return r.Expect == ExpectContinue }

func skipContinue(u Upload, _ Injection) Action {
	u.SkipContinue()
	return Continue
}
