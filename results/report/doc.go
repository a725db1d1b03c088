// Package report presents the outcome of a run or of a comparison to people, servers and programs.
//
// Its input is a judgement and the two sides that were judged: run directories as [rundir.Load]
// reads them, a scenario of a baseline, or only records. [New], [FromGate] and [FromABTest] build a
// [Document] from them once, with all words, rows and samples. Its output is one of several forms,
// which only choose what to show of the document:
//
//   - [Terminal]: tables no wider than the terminal
//   - [Markdown]: the page report.md, in which benchstat finds no results
//   - [Comment]: for a pull request, the verdict first, and the rest folded
//   - [JSON]: for programs, described by [Schema]
//   - package ci: for servers that run tests, as JUnit's XML and as annotations
//   - package htmlpage: one page of HTML with plots
//
// For example:
//
//	now := report.RunSide(*run)
//	now.Read() // latency.hlog, timeline.jsonl and failures.jsonl, for the plots
//	d := report.New(report.ModeReport, report.Input{
//		Scenario: run.Scenario, Judgement: judgement,
//		Base: report.BaselineSide(page, run.Scenario), Now: now,
//	})
//	err := report.Markdown(w, d)
//
// The forms answer a reviewer's questions in their order: what is the verdict and why, which
// metrics changed, what became of the devices, can the figures be trusted, where were they
// measured, and how are they measured again.
//
// The package judges nothing. Only [Side.Read] reads files; a form reads no file and no clock, so
// the same document always gives the same bytes. No form gives a special meaning to characters of a
// run's strings.
package report
