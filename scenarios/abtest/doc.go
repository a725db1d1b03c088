// Package abtest compares the delivery package of a git revision with that of the working tree.
//
// What goes in: the revision and scenarios. What comes out: a judgment of each metric and, after a
// regression, the functions that cost more. [CompareWith] does all of it, in four steps:
//
//   - It builds a driver of either side. The base's driver is today's harness with the revision's
//     delivery package in the place of today's (the go command's -overlay). If the two don't compile
//     together, the whole driver is built from the revision.
//   - [Run] starts a fleet and both drivers. It asks the drivers in turns for blocks, which last a
//     fraction of a second, until package sequential decides. [Serve] is the driver's end of the pipe.
//   - Package judge turns decisions into verdicts.
//   - [ExplainRegression] profiles both sides in turns.
//
// [SelfTest] compares a program with itself, to show how often the verdict is right.
//
// The package never knows the names of flags, nor how its results are shown.
package abtest
