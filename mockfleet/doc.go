// Package mockfleet simulates devices that are updated over HTTP: up to millions of them in one
// process, each with an address of its own, and each a witness of what reached it.
//
// # What goes in
//
// A [Config]: how many devices, how they are addressed, how they behave, and a seed. [Start] listens
// and returns a [Fleet], whose [Ready] says how to reach it. Any HTTP client may drive the devices;
// package address tells a driver in another process where they are and who.
//
// # What comes out
//
// HTTP answers, as a device would give them, and a ledger: for each device what came in, how often,
// which bytes, and what was applied ([Fleet.Ledger], [ledger.Entry]). It holds what the device saw,
// whatever the client believes, so that the two can be compared. A driver in another process reads
// it over the control port with a [Control].
//
// # What it must never know
//
// Who drives it. The package shares the names on the wire with the code under test
// (internal/wire) and nothing else, so that it cannot share its bugs.
//
// # A request's way through
//
// A listener accepts a connection and reads from its local address which device it is for: device n
// is 127.1.0.0 + n ([address.IP], Linux), or a port ([address.Port]); or the path will say
// ([address.Path]). Each open connection has one goroutine and, until a request arrives, no buffers;
// one that has been idle for a second has neither (on Linux).
//
// The request's head is parsed by fasthttp's codec; what follows is this package's own, so that a
// device can misbehave below the level of an HTTP library. A small artifact is hashed in the read
// buffer, a large one through a fixed piece of memory, whatever its size. Then the device, a record of
// some hundred bytes in an array, decides under the lock of its shard:
//
//   - its [behavior.Behavior] may fail the update: a pure function of seed, device and attempt
//   - another digest than Repr-Digest (RFC 9530) announced is refused with 400
//   - a repeat, known by its Idempotency-Key (or, without one, by version and digest), is
//     acknowledged and not installed again
//   - anything else is installed. The same content under another key is installed again, and counted
//     as applied twice: a client that loses track shall be found out
//   - while a large artifact is coming in, another update is answered 409
//
// The answer waits for the behavior's latency and leaves in one write.
//
// # Faults
//
// A [fault.Fault] acts on this way, at one of a few points: what the port shows, the connection, the
// upload, its bytes, what the device goes through after it, the response, what a device says about
// itself. A behavior's faults are sorted by point when it is set ([Fleet.SetFaults]), so that a fleet
// without any pays one atomic load a request. What faults do to a device is kept apart from its record,
// for those devices alone. [behavior.TLSMode] is of the whole fleet.
//
// # Bounds
//
// A request head takes at most 8 KiB. Connections are limited in number ([Config.MaxConnections]),
// to two minutes without a request and to 30 seconds without progress; a fault or a latency holds
// one until its client leaves, an hour at most. A device has at most 32 faults. One fleet runs at
// most 65,536 different versions at a time (507 beyond) and shows at most 1,024 different
// behaviors.
package mockfleet
