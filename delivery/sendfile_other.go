//go:build !linux

package delivery

import "syscall"

// filePipe: on this system the bytes pass through the process.
type filePipe struct{}

func (*filePipe) send(*probe, syscall.RawConn, int64, int64) (sent int64, ok bool, err error) {
	return 0, false, nil
}
