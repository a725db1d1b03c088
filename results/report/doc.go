// Package report shows what a run, or a comparison, came to: to a person at a terminal, to
// reviewers, to servers that run tests, and to programs.
//
// Its input is a judgement and the two sides that were judged: run directories as [rundir.Load]
// reads them, a scenario of a baseline, or no more than records. [New], [FromGate] and [FromABTest]
// build a [Document] of them, once. All words, rows and samples that a form may need are in it. Its
// output are the forms, which only choose what they show:
//
//   - [Terminal], tables no wider than the terminal
//   - [Markdown], the page report.md, from which benchstat reads no result
//   - [Comment], the verdict in its first line and the rest folded, at most [MaxComment] characters
//   - [JUnit] and [Annotations], for servers
//   - [JSON], which [Schema] describes
//   - the page of HTML with plots that package htmlpage writes
//
// For example:
//
//	now := report.RunSide(*run)
//	now.Read() // latency.hlog and failures.jsonl, for the plots
//	d := report.New(report.ModeReport, report.Input{
//		Scenario: run.Scenario, Judgement: judgement, Base: report.BaselineSide(baseline, run.Scenario), Now: now,
//	})
//	err := report.Markdown(w, d)
//
// The order of what they show is that of a reviewer's questions: what is the verdict and why, which
// metrics changed, what became of the devices, can the figures be believed, where were they
// measured, how are they measured again.
//
// The package judges nothing, and no form reads a file or a clock: the same document gives the same
// bytes. Strings of a run mean only themselves in every form.
package report
