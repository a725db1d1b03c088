// Package sequential decides whether one of two builds is slower than the other while both are
// being measured, and stops as soon as it can tell.
//
// The two sides take turns: a pair is two blocks of each, of a fraction of a second, in the order
// base, now, now, base or the other way round, drawn at random. Whatever the machine does meets
// both sides, and a steady drift over the four blocks cancels out of their ratio. A [Test] takes
// pairs ([Test.Add]), and after a growing number of them ([Test.AnalysisDue]) it analyzes all of
// them ([Test.Analyze]). The [Result] has a [Metric] for each metric of each operation, with the
// two samples, the ratio of the sides with its interval, the p-value, and a [Decision].
//
// Each analysis may spend an equal part of [FalseAlarms] and [Misses], so both bounds hold however
// long the test goes on (S. J. Pocock, "Group sequential methods in the design and analysis of
// clinical trials", Biometrika 64, 1977, with Bonferroni's bound in place of his constants).
// Differences are tested with Wilcoxon's signed-rank test, and p-values corrected by Holm's method
// over all metrics.
//
// The package makes no verdicts and has no text for users: a Metric says with a [Cause] why it was
// decided as it was, and package judge makes a verdict of it. It measures nothing and has no clock.
package sequential
