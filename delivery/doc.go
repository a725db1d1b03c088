// Package delivery brings updates to devices over HTTP: it pushes an artifact,
// verifies what the device then runs, and tries again where that is safe.
//
// It is a library for production services. What goes in: devices (an address, an ID), an artifact,
// a version. What comes out: nil for a device that was seen to run the update, or an error whose
// class says what to do next. It knows nothing of benchmarks, fleets or reports, and must not.
//
// # How an update is delivered
//
// An [Artifact] is bytes with a size and a digest; it is read once to hash it, and
// then sent to any number of devices with constant memory. An [Update] is an
// artifact under a version. A [Client] brings it to a [Device]:
//
//	client, err := New(Config{})
//	artifact, err := OpenArtifact(ctx, "firmware.bin")
//	update, err := NewUpdate("2.1.0", artifact)
//	report, err := client.Deliver(ctx, Device{ID: "till-17", Address: "http://192.0.2.17:8080"}, update)
//
// [Client.Push] and [Client.Verify] send one request each. [Client.Deliver] pushes, verifies, and
// retries with full jitter. [Client.Check] finds out beforehand whether a device has the update
// already. Package rollout delivers to any sequence of devices: in waves, with bounded concurrency,
// and to each device once; after a crash it resumes from its journal. Package inventory reads
// devices from a file.
//
// # Errors
//
// Every failure is an [*Error] with a [Class]. The rule under all of them: a push is not sent again
// unless it is known not to have been applied (RFC 9110 §9.2.2). So after a failure that leaves
// this open (a timeout, a reset, a 500) Deliver verifies first. Every push carries an
// Idempotency-Key that depends on version and content alone, and a Repr-Digest (RFC 9530) by which
// the device can check what it got.
//
// A device that reboots after an update may run it at first and then roll back. So a device that
// was seen installing, rebooting or gone must say twice that it runs the update (Retry.GoodReads).
// The error of a Deliver that ends with [ClassIntegrity] is also [ErrQuarantined]: send nothing
// more to that device until somebody has looked at it.
//
// # Bounds
//
// [Timeouts] bounds six things: the connect, the TLS handshake, the wait for 100 Continue, the
// answer, the whole request and, by [LeastProgress], an upload that makes almost no progress. An
// operation ends at once when its context ends. A [RetryBudget] bounds the retries of all devices
// together, and a [Breaker] stops the requests to a device that is gone.
//
// # Transports
//
// [Lean] runs HTTP/1.1 over connections of its own, in the caller's goroutine; [NetHTTP] runs over
// net/http. Both keep connections alive and bounded, read every answer to its end, bound its size
// and never decompress. They follow a redirect only where it keeps the artifact (307, 308) and the
// device's own origin, three times at most.
//
// # Observing a client
//
// [Client.Stats] returns counters, Config.Observe is given the phases of each request as a
// [Timeline], and Config.RoundTripper wraps net/http's transport, for instrumentation.
package delivery
