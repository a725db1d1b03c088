// Package scenarios holds the specification of a scenario: which fleet, which artifact, which
// client, which load, how often, and what must hold.
//
// What goes in: YAML, from a file or the catalog, or a [Spec] made in code. What comes out: a
// [Spec] that is valid, or every mistake in it with its line and column. The same fields make the
// JSON Schema, --set and the command's flags.
//
// [Parse] reads the text of a file into a tree with positions, follows what it extends, binds each
// key to its field, and checks the whole. [Find] and [ExpandSuite] do so for a name of the catalog
// and for a suite. This package measures nothing: package runner does.
package scenarios
