package fault

import "net/http"

// early-4xx: the device answers after so many bytes of the body, with Connection: close. It closes
// its sending side and reads on for 5 s at most.
func early4xx() Kind {
	return Kind{
		Name: "early-4xx", Point: PointUpload, Params: ParamFirst | ParamAfterBytes | ParamStatus,
		Defaults: Fault{Status: http.StatusForbidden}, Upload: refuseEarly,
	}
}

func refuseEarly(u Upload, in Injection) Action {
	if !u.Receive(in.Offset()) {
		u.Abort()
		return End
	}
	u.Request().Close = true
	u.Refuse(in.Status, "refused before it was all there")
	return Refuse
}
