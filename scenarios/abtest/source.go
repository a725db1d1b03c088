package abtest

import "context"

// A Source provides the two sides of a comparison: a [Revision] or [Commands].
type Source interface {
	// open prepares both sides in the directory work. driver is the program that measures clients
	// that are processes. The error is a [*checkout.Error] if the user can fix the cause.
	open(ctx context.Context, driver, work string) (*Builds, error)
	// doing says what open does, for progress.
	doing() string
}
