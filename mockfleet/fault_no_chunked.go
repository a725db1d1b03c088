package mockfleet

import "net/http"

// no-chunked: the device wants to know the length of a body beforehand (RFC 9110 §15.5.12).
func noChunked() kind {
	return kind{name: "no-chunked", level: levelUpload, takes: takesFirst, upload: wantsLength, strikes: isChunked}
}

func isChunked(w *workspace, _ strike) bool { return w.request.length == unknownLength }

func wantsLength(_ *conn, _ *request, p *push, _ strike) verdict {
	p.refusal = refusal{http.StatusLengthRequired, "the length of the artifact is not given"}
	return refused
}
