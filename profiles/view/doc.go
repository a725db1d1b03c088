// Package view shows pprof profiles: the functions that cost most, the difference of two sides,
// flame graphs, and pprof's own pages.
//
// What goes in: files that package profiles reads, of one side or of two. What comes out: the text
// that "go tool pprof -top" prints of them, and the same numbers as rows ([Top], [TopRows], [Diff],
// [DiffRows]); a page of HTML with a flame graph ([Flame]); pprof's pages on a listener that the
// caller opened ([Serve]).
//
// Repetitions are merged. A difference is made as pprof makes it: the base's values count negative.
// Tables are computed here, from samples in four bytes a frame, so that a large profile fits. Flame
// graphs and pages are drawn by pprof's own driver, which is shut in: it gets profiles from memory,
// and finds no file, no tool, no network and no terminal.
//
// Names in a profile that can't be printed are quoted: anybody may have written it.
//
// The package never opens a connection, not even where a profile names a server, and writes nothing
// but what is asked for: no standard output, no settings, no temporary files that stay. It doesn't
// know what was profiled.
package view
