package delivery

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// String shows the configuration without header values, keys or certificates.
func (c Config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "delivery.Config{transport=%s timeouts=%+v retry=%+v budget=%+v breaker=%+v maxIdle=%d", c.Transport, c.Timeouts, c.Retry, c.Budget, c.Breaker, c.MaxIdle)
	if c.InsecureSkipVerify {
		b.WriteString(" INSECURE: certificates are not verified")
	}
	names := make([]string, 0, len(c.Header))
	for name := range c.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %s=(hidden)", name)
	}
	b.WriteString("}")
	return b.String()
}

// Format is String for every verb: fmt would go into the fields for those, such as
// %d, that no string has.
func (c Config) Format(f fmt.State, _ rune) { formatted(f, c.String()) }

// LogValue is String, so that no handler of package slog goes into the fields.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String shows the device without what a refused address may hold: a user, a
// password, a query.
func (d Device) String() string {
	if d.ID == "" {
		return d.name()
	}
	return d.name() + " at " + Device{Address: d.Address}.name()
}

// Format is String for every verb.
func (d Device) Format(f fmt.State, _ rune) { formatted(f, d.String()) }

// LogValue is String.
func (d Device) LogValue() slog.Value { return slog.StringValue(d.String()) }

func formatted(f fmt.State, s string) {
	// fmt has no use for an error: it writes to memory of its own.
	_, _ = io.WriteString(f, s)
}
