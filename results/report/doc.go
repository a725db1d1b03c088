// Package report writes what a run, or a comparison of two sides, came to, each reader's
// form of it: a page for a person, a comment for a pull request, JUnit and annotations
// for a CI server, JSON for a program.
//
// What goes in is a [Subject]: one side or two, each a run directory as
// [results.LoadRun] found it, a baseline's scenario or no more than records, and the
// judgement over them. Every part may be missing.
//
//	subject := report.OfRun(*run, results.JudgeRun(baseline, run.Run, run.Records))
//	subject.Base = report.BaselineSide(baseline, run.Scenario)
//	subject.Now.Read()                  // latency.hlog and failures.jsonl, for the plots
//	err := report.HTML(w, subject)
//
// What comes out is bounded, whatever goes in, and says what it leaves out:
//
//   - [HTML], one file with plots, at most [MaxHTML] bytes; [Join] makes one subject of several scenarios for it
//   - [Markdown], the same without plots and without bounds, report.md
//   - [Comment], the verdict in its first line and the rest folded, at most [MaxComment] characters
//   - [JUnit] and [Annotations]
//   - [JSON], which [Schema] describes
//
// A reviewer's questions give the order: what is the verdict and why, which metrics
// moved, what became of the devices, can the numbers be trusted, where was it measured,
// how do I repeat it.
//
// It judges nothing itself. The renderers read no file and no clock: the same subject
// gives the same bytes. Strings of a run mean only themselves in every form, and
// benchstat finds no result in the Markdown.
package report
