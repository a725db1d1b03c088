package mockfleet

import (
	"net/http"
	"strconv"
	"time"
)

// statuses: the device answers so, with Retry-After or without, and doesn't apply the update.
func statuses() []kind {
	row := kind{name: "status", level: levelAnswer, takes: takesOn | takesFirst | takesStatus | takesRetryAfter, fate: fateRefused, answer: status}
	list := []kind{row}
	for _, code := range []int{400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504} {
		row.name, row.preset, row.takes = "status-"+strconv.Itoa(code), Fault{Status: code}, row.takes&^takesStatus
		list = append(list, row)
	}
	return list
}

func status(c *conn, r *request, h answerHead, s strike) bool {
	h.status = s.Status
	h.extra = s.RetryAfter.field(time.Unix(0, c.fleet.now.Load()))
	return c.send(r, h)
}

// field is a header line for an answer of that Date; empty for the zero value.
func (r RetryAfter) field(date time.Time) string {
	seconds := (r.After + time.Second - 1) / time.Second
	switch {
	case r == RetryAfter{}:
		return ""
	case r.Date:
		return "Retry-After: " + date.Add(seconds*time.Second).UTC().Format(http.TimeFormat) + "\r\n"
	}
	return "Retry-After: " + strconv.Itoa(int(seconds)) + "\r\n"
}
