// Package examples holds the files of this directory as text. Documentation links to the files, and
// package starter writes them into projects.
package examples

import _ "embed"

// Delivery clients that run in processes of their own, as docs/reference/process-client.md describes
// them.
var (
	//go:embed process/push.py
	ProcessPython string

	//go:embed process/push.mjs
	ProcessNode string

	//go:embed process/push.sh
	ProcessShell string
)
