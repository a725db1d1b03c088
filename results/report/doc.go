// Package report writes the page of a run for a reviewer, who believes it without
// running anything.
//
// What goes in: a run directory as [results.LoadRun] found it, or as the runner
// has it in hand, and the judgement over it. What comes out: report.md, in
// CommonMark with GitHub's tables, in the order in which a reviewer asks: what is
// the verdict and why, what became of the devices, which metrics moved, can the
// numbers be trusted, where was it measured, how do I repeat it, where are the
// profiles.
//
// It judges nothing itself, reads no file and no clock: the same run and
// judgement give the same bytes. Strings of a run mean only themselves on the
// page, and benchstat finds no result in it.
package report
