package main

import "github.com/spf13/cobra"

// gateBase measures a git reference and the working tree by turns.
func gateBase(*cobra.Command, *gateFlags, []string, console) error {
	return &exitError{exitUsage, "--base: not built yet; use --baseline"}
}
