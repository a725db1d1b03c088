// Package examples holds the files of this directory as text. Documentation links to the files, and
// package starter writes them into projects.
package examples

import _ "embed"

// Client is the program of a Go module whose client is measured, as docs/guides/your-own-client.md
// describes it. It is a client over net/http that works as it stands.
//
//go:embed client/main.go
var Client string

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
