package fault

import "net/http"

// no-chunked: the device refuses a chunked body with 411 (RFC 9110 §15.5.12).
func noChunked() Kind {
	return Kind{Name: "no-chunked", Point: PointUpload, Params: ParamFirst, Upload: refuseChunked, When: isChunked}
}

func isChunked(r *Request, _ Injection) bool { return r.Length == UnknownLength }

func refuseChunked(u Upload, _ Injection) Action {
	u.Refuse(http.StatusLengthRequired, "the length of the artifact is not given")
	return Refuse
}
