// Package census counts what a checkout is made of: files and lines by language, lines by
// Go package, the names of its tests, and how much of the code they reach.
//
// What goes in: a directory with a Go module. What comes out: numbers. It must never know
// what the code is for.
package census
