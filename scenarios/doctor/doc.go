// Package doctor finds out whether a machine is fit to measure on, and what to change.
//
// What goes in: a machine. [Gather] looks at it for some ten seconds and returns [Facts]; [Examine]
// judges the facts and returns [Check] values, each with a [State], what was found, why it matters
// and what to do about it. A check is a pure function of facts. A fact that can't be read is
// unknown, and never counts as OK.
//
// The package knows what a run needs of a machine ([health.Connections],
// [health.ReferenceBenchmark]). It never knows a run's results, nor the names of flags: the caller
// of Examine words the advice that needs them.
package doctor
