// Package fault defines the ways in which devices misbehave. Each kind of fault has a file of its
// own, with a function that returns its row of the table ([Table]) and the hook that its [Point]
// calls. CONTRIBUTING.md shows how to add one.
//
// A [Fault] is configuration. [Compile] turns the faults of a behavior into a [Set]. At each point
// of an [Attempt], the caller asks the Set for the [Injection] that acts, which depends on seed,
// device and attempt alone, and calls the hook of its kind.
//
// A hook sees no more of a device than the interfaces [Conn], [Upload] and [Exchange], and the
// plain values beside them. The package knows neither sockets nor the records of devices.
package fault
