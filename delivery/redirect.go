package delivery

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxRedirects bounds how many redirects one request follows.
const maxRedirects = 3

// redirectError is a redirect that is not followed.
type redirectError struct{ err error }

func (e *redirectError) Error() string { return "redirect refused: " + e.err.Error() }
func (e *redirectError) Unwrap() error { return e.err }

var (
	errManyRedirects = fmt.Errorf("more than %d in a row", maxRedirects)
	errMethodLost    = errors.New("only 307 and 308 keep method and body")
	errOtherOrigin   = errors.New("it leads to another origin")
	errLocation      = errors.New("its Location is missing or unusable")
)

// follow gives the path (and query) that a redirect leads to. It must be of the
// same origin (RFC 6454 §4: scheme, host and port): the request carries an artifact
// and perhaps credentials, which are for this device alone. Location may hold
// anything; what isn't plain printable ASCII is refused.
func follow(to target, path, location string) (string, error) {
	scheme := "http"
	if to.secure {
		scheme = "https"
	}
	base, err := url.Parse(scheme + "://" + to.host + to.prefix + path)
	if err != nil || location == "" || len(location) > maxAddress {
		return "", errLocation
	}
	u, err := base.Parse(location)
	if err != nil || u.Opaque != "" {
		return "", errLocation
	}
	if u.Scheme != base.Scheme || u.User != nil || !sameHost(to, u.Host) {
		return "", errOtherOrigin
	}
	if u.Path == "" {
		u.Path = "/"
	}
	next := u.RequestURI()
	for i := 0; i < len(next); i++ {
		if next[i] <= ' ' || next[i] >= 0x7f {
			return "", errLocation
		}
	}
	return next, nil
}

// sameHost compares a host with the target's: in any case, its port spelt out or not.
func sameHost(to target, host string) bool {
	if !validHost(host) {
		return false
	}
	other := target{secure: to.secure, host: host}
	return strings.EqualFold(to.dialAddress(), other.dialAddress())
}
