package delivery

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// minSecret is the least length, in bytes, of a header value or a part of one that is taken for a
// secret. Shorter ones occur in too many texts.
const minSecret = 6

// secretsOf returns what must not appear in a log of a header's values: the values, their parts (a
// token without its scheme), and the password of Basic credentials (RFC 7617). The longest come
// first, so that replacing one doesn't cut another.
func secretsOf(h http.Header) []string {
	var all []string
	for _, values := range exchange.SortedHeader(h) {
		for _, v := range values {
			all = append(all, v)
			scheme, rest, _ := strings.Cut(v, " ")
			all = append(all, strings.Fields(rest)...)
			if !strings.EqualFold(scheme, "Basic") {
				continue
			}
			if plain, err := base64.StdEncoding.DecodeString(rest); err == nil {
				_, password, _ := strings.Cut(string(plain), ":")
				all = append(all, password)
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecret })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// redactedError has the text of an error, without secrets.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// redact removes secrets from an error's text. Errors quote answers, and a device, or whatever else
// answers at its address, may send back what it was sent.
func redact(err error, secrets []string) error {
	if err == nil || len(secrets) == 0 {
		return err
	}
	text := err.Error()
	shown := text
	for _, s := range secrets {
		shown = redactOne(shown, s)
	}
	if shown == text {
		return err
	}
	return &redactedError{shown, err}
}

// redactOne hides a secret in text, and the beginning of the secret where the end of a quote cut it
// off.
func redactOne(text, secret string) string {
	const hidden = "(hidden)"
	text = strings.ReplaceAll(text, secret, hidden)
	if !strings.Contains(text, "…") {
		return text
	}
	for n := len(secret) - 1; n >= minSecret/2; n-- {
		if cut := secret[:n] + "…"; strings.Contains(text, cut) {
			return strings.ReplaceAll(text, cut, hidden+"…")
		}
	}
	return text
}

// String shows the configuration without header values, keys or certificates.
func (c Config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "delivery.Config{transport=%s timeouts=%+v retry=%+v budget=%+v breaker=%+v maxIdle=%d", c.Transport, c.Timeouts, c.Retry, c.Budget, c.Breaker, c.MaxIdle)
	if c.InsecureSkipVerify {
		b.WriteString(" INSECURE: certificates are not verified")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		fmt.Fprintf(&b, " %s=(hidden)", name)
	}
	b.WriteString("}")
	return b.String()
}

// Format writes String for every verb. For a verb that strings don't have, such as %d, fmt would
// print the fields instead.
func (c Config) Format(f fmt.State, _ rune) { formatted(f, c.String()) }

// LogValue returns String, so that no handler of package slog prints the fields.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String shows the device without what a refused address may hold: a user, a password, a query.
func (d Device) String() string {
	if d.ID == "" {
		return d.Name()
	}
	return d.Name() + " at " + Device{Address: d.Address}.Name()
}

// Format writes String for every verb.
func (d Device) Format(f fmt.State, _ rune) { formatted(f, d.String()) }

// LogValue returns String.
func (d Device) LogValue() slog.Value { return slog.StringValue(d.String()) }

func formatted(f fmt.State, s string) {
	// fmt's own buffer returns no error.
	_, _ = io.WriteString(f, s)
}
