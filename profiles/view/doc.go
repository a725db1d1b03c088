// Package view shows pprof profiles: the functions that cost most, the difference of two sides,
// flame graphs, and pprof's own pages.
//
// Its input is files that package profiles reads, of one side or two. Its output is the text that
// "go tool pprof -top" prints of them, and the same values as rows ([Top], [TopRows], [Diff],
// [DiffRows]); a flame graph as a page of HTML ([Flame]); and pprof's pages on a listener of the
// caller ([Serve]).
//
// Repetitions are merged. As in pprof, the values of the base of a difference are negated. Tables
// are computed here, from samples in four bytes a frame, so that large profiles fit into memory.
// Flame graphs and pages are drawn by pprof's own driver in a sandbox: it gets profiles from
// memory, and has no access to files, tools, the network or the terminal.
//
// Names in a profile that can't be printed are quoted, since a profile may come from anyone.
//
// The package opens no connection, even if a profile names a server, and writes only what it was
// asked for: nothing to standard output, no settings, and no temporary files that stay. It doesn't
// know what was profiled.
package view
