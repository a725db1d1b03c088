package random

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// unmarshalScalar calls read with the text of a JSON string, or with a number as it is written.
func unmarshalScalar(b []byte, read func([]byte) error) error {
	if len(b) == 0 || b[0] != '"' {
		return read(b)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return read([]byte(text))
}

// Share is a fraction of all devices, 0 to 1. Its text form is a number, or a percentage such as
// "10%".
type Share float64

// UnmarshalJSON reads a number or the text form.
func (s *Share) UnmarshalJSON(b []byte) error { return unmarshalScalar(b, s.UnmarshalText) }

// UnmarshalText reads the text form.
func (s *Share) UnmarshalText(text []byte) error {
	digits, percent := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("share %q: want a number from 0 to 1, or a percentage", text)
	}
	*s = Share(f)
	return nil
}
