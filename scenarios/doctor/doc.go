// Package doctor finds out whether a machine is fit to measure on, and what to change.
//
// Its input is the machine. [Gather] examines it for some ten seconds and returns [Facts];
// [Examine] judges the facts and returns [Check] values, each with a [State], what was found, why
// it matters and what to change. A check is a pure function of the facts. A fact that can't be read
// is unknown, and never counts as OK. [GatherSettings] and [ExamineSettings] do without what takes
// time to measure.
//
// The package knows what a run needs of a machine ([health.Connections],
// [health.ReferenceBenchmark]). It doesn't know a run's results, or the names of flags: the caller
// of Examine phrases the advice that needs them.
package doctor
