package results

// Format writes a sample for people, "13.2µs ± 2%"; a nil one, which wasn't measured, is a dash.
func (s *Summary) Format(unit string) string { return formatSummary(s, unit, true) }

// FormatDelta is the change of the median, "+6.8%": "?" from zero, and empty where a side is missing.
func (r JudgedRow) FormatDelta() string { return formatDelta(r) }

// FormatP is the p-value before Holm's correction, "0.002"; empty where no test was made.
func (r JudgedRow) FormatP() string { return formatP(r.P) }
