// Package ledger describes what a fleet witnessed of its devices: an [Entry] for each device, the
// [Totals] of many, a [Query] for some of them and their [Summary]. Entries are written as lines of
// JSON ([Entry.AppendLine]) and read back ([Reader]) by hand, as encoding/json would: the ledger of
// a million devices is read after every repetition of a benchmark.
//
// The package knows no fleet: neither where an Entry comes from, nor what it is read for.
package ledger
