// Package runner runs a scenario.
//
// What goes in: a valid scenario and [Options]. What comes out: a run directory and a [Result]. It
// joins delivery, mockfleet, profiles and results, each of which knows nothing of the others. It
// judges nothing and prints nothing: an [Observer] hears how a run goes.
//
// # How a run goes
//
// [Start] opens everything that can fail: the artifact, file descriptors, the fleet (in a process
// of its own, in this one, at an address, or listed in a file), and last the run directory. So a
// run that can't begin leaves nothing behind.
//
// Before each repetition the fleet is reset, the heap collected, and the recording emptied. Then
// the repetition is preconditioned: if its load verifies, the devices get an update; if its load
// goes on for a time, connections are warmed. Then an executor of package load does the operations
// and records them.
//
// A rate is the number of operations that succeeded before the plan's end, divided by the plan's
// length. Operations under way at its end have a bounded time to end, the drain. An open load that
// is certain to be behind its plan sends no more. If the scenario sets no number of workers, an
// open load starts one whenever an operation is due and none is free.
//
// Afterwards the client's claims are reconciled with the fleet's ledger, device by device. A
// contradiction makes the run invalid. In a timed repetition, so does a saturated fleet, or an open
// load that fell behind its plan.
//
// Warm-up repetitions are thrown away. Timed ones are recorded. Profiled ones come last and give
// profiles but no times, since profiling takes time.
//
// # Where to begin reading
//
// [Start] makes a runner (run.go): a [Session], which repeats a load (session.go), and a journal,
// which writes the run directory (journal.go). [Running.Measure] calls runner.runRepetition for
// each repetition, and that calls Session.repeat (repetition.go), where one repetition can be
// followed from its beginning to its end: a new client (client.go), the preparation
// (precondition.go), the load (drive.go, executor.go), the reconciliation (reconcile.go), and the
// checks of package health. It returns a measured (measurement.go), of which the records are made.
//
// A search for the breakpoint (breakpoint.go) is one repetition for the run, but many for the
// session: each rate that it tries is one, which is called a trial.
//
// # What to know of the figures
//
// The times of a delivery's push and verification are those of its last push and verification.
// Earlier attempts, and the waits between them, count in the time of the delivery alone, as in
// [delivery.Report].
//
// A load that only verifies needs something to verify: each repetition first brings the update to
// every device, also to devices from a file. That isn't measured.
//
// If a load has a duration, connections are opened and used before it begins: by a push and
// verifications, which the fleet is made to forget, or by verifications alone if there is no fleet
// that keeps a ledger. Without a duration, each device is visited once, and opening its connection
// is part of its operation.
package runner
