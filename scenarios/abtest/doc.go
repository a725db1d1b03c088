// Package abtest compares the delivery package of a git revision with that of the working tree.
// What goes in is the revision and scenarios. What comes out is a judgement of each metric and,
// after a regression, the functions that cost more. [CompareWith] does all of it, in four steps:
//
//   - It builds a driver of either side. The base's has today's harness, with the revision's
//     delivery package in the place of today's (the go command's -overlay). Only if that doesn't
//     compile is all of the base's driver of the revision.
//   - [Run] starts a fleet and both drivers, asks these for blocks of a fraction of a second in
//     turns, and hands what they measured to package sequential, which says when that decides. A
//     driver, the other end of the pipe, is [Serve].
//   - Package judge turns decisions into verdicts.
//   - [ExplainRegression] profiles both sides in turns.
//
// [SelfTest] compares a program with itself, to show how often that goes right. The package knows
// no flags, and nothing of how its results are shown.
package abtest
