package mockfleet

import "net/http"

// status-417: the device refuses whatever is expected of it (RFC 9110 §10.1.1).
func status417() kind {
	return kind{name: "status-417", level: levelUpload, takes: takesFirst, upload: refusesExpect, strikes: expects}
}

func expects(w *workspace, _ strike) bool { return w.request.expect != expectNothing }

func refusesExpect(_ *conn, _ *request, p *push, _ strike) verdict {
	p.refusal = refusal{http.StatusExpectationFailed, "nothing can be expected"}
	return refused
}
