package fault

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// redirects: the device doesn't apply the update and names another place. 301 to 303 lead to a page
// that any GET finds; 307 and 308 to the device's own update path, where the update then is taken.
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
