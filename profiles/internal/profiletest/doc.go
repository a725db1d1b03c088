// Package profiletest has what tests of the packages of profiles have in common: profiles written
// by hand, and work whose place in a profile is known.
//
// None of the functions that do such work is inlined, so that each has its own name in the stacks:
// [Path] and the function's name.
package profiletest
