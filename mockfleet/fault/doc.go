// Package fault holds the ways in which devices misbehave. Each kind of fault is a file of its own: a
// function that returns its row of the table ([Table]) and the one hook that its [Point] asks for.
// CONTRIBUTING.md shows how to add one.
//
// A [Fault] is configuration. [Compile] makes a [Set] of the faults of a behavior; asked at a point for
// an [Attempt], it returns the [Injection] that acts, by seed alone. The caller then calls its hook.
//
// A hook sees no more of a device than the interfaces [Conn], [Upload] and [Exchange], and the plain
// values beside them. The package knows neither sockets nor the devices' records.
package fault
