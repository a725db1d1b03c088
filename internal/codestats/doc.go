// Package codestats counts what a checkout holds: files and lines by language, lines by Go package,
// tests, and the share of the statements that they reach.
//
// Its input is the directory of a Go module, and its output is numbers and names of tests.
package codestats
