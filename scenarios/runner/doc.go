// Package runner runs a scenario.
//
// What goes in: a valid scenario and [Options]. What comes out: a run directory and a [Result]. It
// joins delivery, mockfleet, profiles and results, each of which knows nothing of the others. It
// judges nothing and prints nothing: an [Observer] hears how a run goes.
//
// # How a run goes
//
// [Start] opens what may be refused: the artifact, file descriptors, the fleet (in a process
// of its own, in this one, at an address, or listed in a file), and last the run directory. So a
// run that can't begin leaves nothing behind.
//
// Each repetition starts from a clean slate: the fleet is reset, the heap collected, the recording
// emptied. What its load takes for granted is made ready: an update to verify, connections that
// stay. Then an executor of package load does the operations, and records them.
//
// Rates are over the plan: what succeeded before its end, divided by its length. What is left then
// has a drain, which is bounded; an open load that is certain to be behind its plan sends no more.
// An open load that isn't told how many workers it has starts one whenever an operation is due and
// none is free.
//
// Afterwards the client's claims are reconciled with the fleet's ledger, device by device. A
// contradiction makes the run invalid, with the reason, and so does, in a repetition whose times
// are recorded, a saturated fleet or an open load that fell behind its plan.
//
// Warm-up repetitions are thrown away; timed ones are recorded; profiled ones are
// run after them and give profiles but no times, since profiling costs some.
//
// # What to know of the figures
//
// A delivery's push and verification are its last ones of each kind: where it tried again, the
// attempts before and the waits between are in the delivery's time alone, as in [delivery.Report].
//
// A load that only verifies needs something to verify: each repetition first brings
// the update to every device, devices from a file too, outside of what is measured.
//
// Under a load with a duration connections are opened before it begins, and used: by a
// push and verifications, which the fleet is made to forget, or, where nobody keeps a
// ledger, by verifications alone. Without a duration each device is visited once, and
// opening its connection is part of its operation.
package runner
