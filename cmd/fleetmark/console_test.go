package main

import "syscall"

// gone is a writer whose reader went away.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }
