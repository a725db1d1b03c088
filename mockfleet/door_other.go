//go:build !linux

package mockfleet

import "errors"

const canShut = false

func shutSocket(int) error  { return errors.ErrUnsupported }
func openSocket(int) error  { return errors.ErrUnsupported }
func stallSocket(int) error { return errors.ErrUnsupported }
