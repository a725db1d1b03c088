// Package doctor says whether a machine is fit to measure on, and what to change.
//
// What goes in: a machine. What comes out: [Facts], gathered by [Gather] in some ten
// seconds, and of these [Checks], each with a [State], what was found, why it
// matters, and what to do about it. Facts and their judgement are apart: a check is a
// pure function of facts. What can't be read is unknown, and never well.
//
// It knows what a run needs of a machine ([scenarios.Spec.Descriptors], the yardstick),
// and must never know a command line or a run's results.
package doctor
