// Package codestats counts what a checkout holds: files and lines by language, lines by Go package,
// the names of tests, and the share of the code that they reach.
//
// Its input is the directory of a Go module, its output is numbers. It knows nothing of what the code
// is for.
package codestats
