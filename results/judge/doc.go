// Package judge decides whether a run got worse than its baseline. It is the only package that
// makes verdicts.
//
// A baseline and a run go in, with a [Policy] that says what is asked for; a [Judgement] comes out.
// It has a [Row] for each metric of each operation, with a verdict and a typed [Reason], and one
// verdict over all of them, which decides the exit code.
//
// The package holds no text for users: a Reason is a code and its parameters, and package report
// turns it into words. It reads no files and measures nothing.
package judge
