package mockfleet

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// redirects: the device doesn't apply the update and names another place. 301 to 303 lead to a page that any
// GET finds; 307 and 308 to the device's own update path, where the update then is taken.
func redirects() []kind {
	list := make([]kind, 0, 5)
	for _, code := range []int{301, 302, 303, 307, 308} {
		list = append(list, kind{
			name: "redirect-" + strconv.Itoa(code), level: levelAnswer, takes: takesFirst | takesOrigin,
			preset: Fault{Status: code}, fate: fateRefused, answer: redirect, strikes: isFirst,
		})
	}
	return list
}

// redirectedQuery marks a request that follows a redirect of this fault, so that it isn't struck again.
const redirectedQuery = "redirected"

func isFirst(w *workspace, _ strike) bool {
	return !bytes.HasSuffix(w.header.RequestURI(), []byte("?"+redirectedQuery))
}

func redirect(c *conn, r *request, h answerHead, s strike) bool {
	h.status = s.Status
	path := wire.PathUpdate
	if s.Status < http.StatusTemporaryRedirect {
		path = wire.PathVersion
	}
	base := ""
	if c.device < 0 {
		base = devicePrefix + strconv.Itoa(r.device)
	}
	if s.Origin == originOther {
		base = c.fleet.otherOrigin(r.device)
	}
	h.extra = "Location: " + base + path + "?" + redirectedQuery + "\r\n"
	return c.send(r, h)
}

// otherOrigin is the address of the next device, which has an origin of its own; where all share one, the
// same device's under another name of the host.
func (f *Fleet) otherOrigin(i int) string {
	if next := (i + 1) % f.Devices(); f.cfg.Addressing != AddressPath && next != i {
		return f.DeviceAddress(next)
	}
	path := ""
	if f.cfg.Addressing == AddressPath {
		path = devicePrefix + strconv.Itoa(i)
	}
	return f.scheme() + "://localhost:" + strconv.Itoa(int(f.address.Port())) + path
}
