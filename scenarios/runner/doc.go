// Package runner runs a scenario.
//
// Its input is a valid scenario and [Options]. Its output is a run directory and a [Result]. It
// connects delivery, mockfleet, profiles and results, none of which knows the others. It judges
// nothing and prints nothing: an [Observer] is told how a run goes.
//
// # The course of a run
//
// [Start] opens everything that can fail: the artifact, file descriptors, the fleet (in a process
// of its own, in this one, at an address, or listed in a file), and last the run directory. So a
// run that can't begin leaves nothing behind.
//
// Before each repetition, the fleet is reset, the heap collected, and the recording emptied. Then
// the repetition is preconditioned: if its load verifies, the devices get an update; if its load
// lasts for a time, connections are warmed. Then an executor of package load does the operations
// and records them.
//
// A rate is the number of operations that succeeded before the plan's end, divided by the plan's
// length. Operations that still run at its end have a limited time to end, the drain. An open load
// that is certain to be behind its plan sends no more. If the scenario sets no number of workers,
// an open load starts one whenever an operation is due and none is free.
//
// Afterwards the client's claims are reconciled with the fleet's ledger, device by device. A
// contradiction makes the run invalid. In a timed repetition, so does a saturated fleet, or an open
// load that fell behind its plan.
//
// Warm-up repetitions are discarded. Timed ones are recorded. Profiled ones come last and give
// profiles but no times, since profiling takes time.
//
// # Where to start reading
//
// [Start] makes a runner (run.go): a [Session], which repeats a load (session.go), and a journal,
// which writes the run directory (journal.go). [Running.Measure] calls runner.runRepetition for
// each repetition, which calls Session.repeat (repetition.go). There one repetition can be followed
// from beginning to end: a new client (client.go), the preparation (precondition.go), the load
// (drive.go, executor.go), the reconciliation (reconcile.go), and the checks of package health. It
// returns a measured (measurement.go), from which the records are made.
//
// A search for the breakpoint (breakpoint.go) is one repetition of the run, but many of the
// session: one, called a trial, for each rate that it tries.
//
// # Merged runs
//
// A run may be a part of a merged run ([Options.OnPortion]). It then waits before each load until
// all agents are ready ([Options.Gate]), and hands out what it measured as package portion has it.
// A [Merging] adds that up, and writes the run directory of the whole (merging.go,
// mergedrepetition.go). It makes a measured of the sum, and goes on as the runner does.
//
// # What to know about the figures
//
// The times of a delivery's push and verification are those of its last push and verification.
// Earlier attempts, and the waits between them, only count in the time of the delivery, as in
// [delivery.Report].
//
// A load that only verifies needs something to verify. So each repetition first sends the update to
// every device, including devices listed in a file. That isn't measured.
//
// If a load has a duration, connections are opened and used before it begins: with a push and
// verifications, which the fleet is made to forget, or only with verifications if no fleet keeps a
// ledger. Without a duration, each device is visited once, and opening its connection is part of
// its operation.
package runner
