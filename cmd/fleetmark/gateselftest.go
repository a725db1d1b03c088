package main

import "github.com/spf13/cobra"

// gateSelfTest shows on this machine that the gate tells what is worse from what isn't.
func gateSelfTest(*cobra.Command, *gateFlags, []string, console) error {
	return &exitError{exitUsage, "--self-test: not built yet"}
}
