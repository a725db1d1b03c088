package fault

import "net/http"

// status-417: the device refuses any Expect with 417 (RFC 9110 §10.1.1).
func status417() Kind {
	return Kind{Name: "status-417", Point: PointUpload, Params: ParamFirst, Upload: refuseExpect, When: expectsAnything}
}

func expectsAnything(r *Request, _ Injection) bool { return r.Expect != ExpectNothing }

func refuseExpect(u Upload, _ Injection) Action {
	u.Refuse(http.StatusExpectationFailed, "nothing can be expected")
	return Refuse
}
