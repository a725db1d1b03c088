// Package project finds the source tree that a command runs in, and reads its fleetmark.yaml.
//
// Its input is a directory. Its output is the root of the module around it, and the [Config] in the
// root's fleetmark.yaml: which Go benchmarks a baseline page measures, the limits of its figures,
// and the tests that enforce them. The file is read strictly: an unknown key or a wrong value is a
// [ConfigError] with its line and column, never a setting that silently does nothing. Without a
// file the Config is empty. [Revision] returns the revision that the running program was built
// from.
//
// The package measures nothing, and doesn't read or write baseline pages.
package project
