// Package profiletest has helpers for tests of the packages of profiles: profiles written by hand,
// and work whose place in a profile is known.
//
// The functions that do such work aren't inlined, so that each appears in stacks under its own
// name: [Path] and the function's name.
package profiletest
