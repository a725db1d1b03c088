package progress

import "syscall"

// closedWriter is a writer whose reader has gone.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }
