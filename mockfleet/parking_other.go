//go:build !linux

package mockfleet

import "errors"

// lot is only to be had on Linux.
type lot struct{}

func newLot() (*lot, error) { return nil, nil }

func (*lot) watch(int) bool             { return false }
func (*lot) await([]int32) (int, error) { return 0, errors.ErrUnsupported }
func (*lot) close() error               { return nil }
