package abtest

import (
	"debug/buildinfo"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// programDifferences compares what two Go programs record about the modules and the toolchain that
// they were built with. It returns nil if one of them records nothing, as programs in other languages.
func programDifferences(base, now string) []checkout.Difference {
	was, err := buildinfo.ReadFile(base)
	if err != nil {
		return nil
	}
	is, err := buildinfo.ReadFile(now)
	if err != nil {
		return nil
	}
	return checkout.BuildDifferences(was, is)
}

// mainPackage returns the import path of the package main of a Go program. It returns "" if the
// program doesn't record it.
func mainPackage(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	return info.Path
}
