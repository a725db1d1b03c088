// Package project finds the source tree that a command is run in, and reads its fleetmark.yaml.
//
// What goes in is a directory. What comes out is the root of the module around it and the [Config]
// that the root's fleetmark.yaml holds: which Go benchmarks a baseline page measures, what its
// figures must keep within, and which tests hold which promise. The file is read strictly: an
// unknown key or a wrong value is a [ConfigError] with its line and column, never a setting that
// silently does nothing. Without a file everything is empty. [Revision] says what the running program
// was built from.
//
// It measures nothing and knows neither pages nor benchmarks.
package project
