package timeline

import (
	"strings"
	"time"
)

// FormatTime returns a time within a repetition, with as many digits as matter: "120ms", "7.5s",
// "12m30s".
func FormatTime(d time.Duration) string {
	unit := time.Millisecond
	switch {
	case d >= 10*time.Minute:
		unit = time.Second
	case d >= 10*time.Second:
		unit = 100 * time.Millisecond
	case d >= time.Second:
		unit = 10 * time.Millisecond
	}
	text := d.Round(unit).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
