package checkout

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
)

// SameContent reports whether two files, such as the programs built from two trees, hold the same bytes.
func SameContent(one, other string) (bool, error) {
	a, err := digest(one)
	if err != nil {
		return false, err
	}
	b, err := digest(other)
	return bytes.Equal(a, b), err
}

func digest(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
