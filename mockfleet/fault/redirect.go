package fault

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// redirects: the device names another place in Location. 301, 302 and 303 lead to its path
// /version; 307 and 308 lead to its path /update, which takes the update when asked by that name.
func redirects() []Kind {
	list := make([]Kind, 0, 5)
	for _, code := range []int{301, 302, 303, 307, 308} {
		list = append(list, Kind{
			Name: "redirect-" + strconv.Itoa(code), Point: PointResponse, Params: ParamFirst | ParamOrigin,
			Defaults: Fault{Status: code}, Forced: ForceReject, Respond: respondRedirect, When: isNotRedirected,
		})
	}
	return list
}

// redirectedQuery marks a request that follows a redirect of this fault, so that it isn't
// redirected again.
const redirectedQuery = "redirected"

func isNotRedirected(r *Request, _ Injection) bool {
	return !bytes.HasSuffix(r.Target, []byte("?"+redirectedQuery))
}

func respondRedirect(e Exchange, r *Response, in Injection) bool {
	r.Status = in.Status
	path := wire.PathUpdate
	if in.Status < http.StatusTemporaryRedirect {
		path = wire.PathVersion
	}
	r.Header = "Location: " + e.Origin(in.Origin == originOther) + path + "?" + redirectedQuery + "\r\n"
	return e.Send(r)
}
