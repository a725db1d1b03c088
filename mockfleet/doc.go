// Package mockfleet simulates devices that are updated over HTTP: up to millions of them in one
// process. Each has an address of its own and records what reached it.
//
// # What goes in
//
// A [Config]: how many devices, how they are addressed, how they behave, and a seed. [Start]
// listens and returns a [Fleet], whose [Ready] says how to reach it. Any HTTP client may drive the
// devices; a driver in another process derives their addresses and identities with package address.
//
// # What comes out
//
// HTTP answers, as a device would give them, and a ledger: for each device what came in, how often,
// which bytes, and what was applied ([Fleet.Ledger], [ledger.Entry]). The ledger records what the
// device received, whatever the client believes, so that the two can be compared. A driver in
// another process reads it over the control port with a [Control].
//
// # What it must never know
//
// Who drives it. The package shares with the code under test the names on the wire (internal/wire)
// and nothing else, so that it doesn't share the bugs of that code.
//
// # A request's way through
//
// A listener accepts a connection and finds out which device it is for: by the local IP address,
// 127.1.0.0 + n for device n ([address.IP], on Linux); by the local port ([address.Port]); or
// later, by the path of each request ([address.Path]). Each open connection has one goroutine and,
// until a request arrives, no buffers. On Linux, a connection that has been idle for a second has
// neither.
//
// The request's head is parsed by fasthttp's codec. All further code is this package's own, so that
// a device can misbehave below the level of an HTTP library. A small artifact is hashed in the read
// buffer; a large one is hashed piece by piece through a buffer of 64 KiB. Then the device, a
// record of some hundred bytes in an array, decides under the lock of its stripe:
//
//   - its [behavior.Behavior] may fail the update: a pure function of seed, device and attempt
//   - if the digest isn't the one in Repr-Digest (RFC 9530), the update is refused with 400
//   - a repeat, known by its Idempotency-Key (or, without one, by version and digest), is
//     acknowledged and not installed again
//   - anything else is installed. The same content under another key is installed again and counted
//     as applied twice, so that a client that loses track is found out
//   - while a large artifact is coming in, another update is answered 409
//
// The answer waits for the behavior's latency and leaves in one write.
//
// # Faults
//
// A [fault.Fault] acts at one point of this path ([fault.Point]): the state of the port, the
// connection, the upload, its bytes, the installation, the response, or the content of a version
// report. A behavior's faults are sorted by point when the behavior is set ([Fleet.SetFaults]), so
// that a fleet without faults pays one atomic load for each request. The effects of faults on a
// device are kept outside of its record, and only for devices that have any. [behavior.TLSMode] is
// set for the whole fleet or for a group.
//
// # Bounds
//
// A request head has at most 8 KiB. Connections are limited in number ([Config.MaxConnections]), to
// two minutes without a request and to 30 seconds without progress. A fault or a latency may hold a
// connection longer, until its client leaves, but for an hour at most. A device has at most 32
// faults. A fleet runs at most 65,536 different versions at a time (further ones are answered 507)
// and has at most 1,024 different behaviors.
package mockfleet
