package exchange

import (
	"errors"
	"net/url"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// Why a redirect can't be followed.
var (
	ErrOtherOrigin = errors.New("it leads to another origin")
	ErrLocation    = errors.New("its Location is missing or unusable")
)

// ResolveRedirect returns the path and query that a redirect leads to. It returns ErrOtherOrigin if
// the origin is another (RFC 6454 §4: scheme, host and port), because the request carries an
// artifact and perhaps credentials, which are for this device alone. It returns ErrLocation if the
// location isn't a URL of printable ASCII.
func ResolveRedirect(to endpoint.Target, path, location string) (string, error) {
	scheme := "http"
	if to.TLS {
		scheme = "https"
	}
	base, err := url.Parse(scheme + "://" + to.Host + to.PathPrefix + path)
	if err != nil || location == "" || len(location) > endpoint.MaxAddress {
		return "", ErrLocation
	}
	u, err := base.Parse(location)
	if err != nil || u.Opaque != "" {
		return "", ErrLocation
	}
	if u.Scheme != base.Scheme || u.User != nil || !sameHost(to, u.Host) {
		return "", ErrOtherOrigin
	}
	if u.Path == "" {
		u.Path = "/"
	}
	next := u.RequestURI()
	for i := 0; i < len(next); i++ {
		if next[i] <= ' ' || next[i] >= 0x7f {
			return "", ErrLocation
		}
	}
	return next, nil
}

// sameHost reports whether a host, with or without its port, is the target's.
func sameHost(to endpoint.Target, host string) bool {
	if !endpoint.ValidHost(host) {
		return false
	}
	other := endpoint.Target{TLS: to.TLS, Host: host}
	return strings.EqualFold(to.DialAddr(), other.DialAddr())
}
