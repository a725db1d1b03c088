// Package versus measures two states of the delivery package against each other: it builds a
// driver of each, has both drive one fleet in turns of a fraction of a second, and hands what
// they measured to package sequential, which says when that decides.
//
// The parts:
//
//   - [Build] makes the drivers. The base's has today's harness, and the delivery package of
//     another revision put in the place of today's (the go command's -overlay); only where that
//     does not compile is it all of the other revision.
//   - [Serve] is what a driver does: it is told a scenario and where the fleet is, and measures a
//     block whenever it is asked for one.
//   - [Run] starts the fleet and the drivers, asks them in turns, and ends them.
package versus
