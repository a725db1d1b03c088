package fault

import (
	"strconv"
)

// statuses: the device answers with that status, and with Retry-After if it is given.
func statuses() []Kind {
	row := Kind{
		Name: "status", Point: PointResponse, Params: ParamOn | ParamFirst | ParamStatus | ParamRetryAfter,
		Forced: ForceReject, Respond: respondStatus,
	}
	list := []Kind{row}
	for _, code := range []int{400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504} {
		row.Name, row.Defaults, row.Params = "status-"+strconv.Itoa(code), Fault{Status: code}, row.Params&^ParamStatus
		list = append(list, row)
	}
	return list
}

func respondStatus(e Exchange, r *Response, in Injection) bool {
	r.Status = in.Status
	r.Header = in.RetryAfter.headerLine(r.Date)
	return e.Send(r)
}
