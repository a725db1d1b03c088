package scenarios

import "encoding/json"

// A thresholdMapping is a threshold that a file has as a mapping instead of text. The field table
// describes its keys.
type thresholdMapping struct {
	Threshold thresholdText `yaml:"threshold" json:"threshold"`
	Abort     bool          `yaml:"abort" json:"abort"`
}

// A thresholdText is a threshold that a file must have as text.
type thresholdText struct{ Threshold }

// A writtenThreshold is what a thresholdMapping was parsed from. It holds the threshold's text.
type writtenThreshold struct {
	Threshold string `yaml:"threshold" json:"threshold"`
	Abort     bool   `yaml:"abort" json:"abort"`
}

// value returns the threshold that the mapping stands for.
func (m thresholdMapping) value() any {
	t := m.Threshold.Threshold
	t.Abort = m.Abort
	return t
}

// form returns the threshold as it is written in a file: as text, or as a mapping.
func (t Threshold) form() any {
	if t.Abort {
		return writtenThreshold{t.text, true}
	}
	return t.text
}

// MarshalYAML returns the threshold as it is written in a file.
func (t Threshold) MarshalYAML() (any, error) { return t.form(), nil }

// MarshalJSON returns the threshold as it is written in a file.
func (t Threshold) MarshalJSON() ([]byte, error) { return json.Marshal(t.form()) }

// UnmarshalJSON parses what MarshalJSON returns.
func (t *Threshold) UnmarshalJSON(data []byte) error {
	var w writtenThreshold
	if err := json.Unmarshal(data, &w.Threshold); err != nil {
		if err := json.Unmarshal(data, &w); err != nil {
			return err
		}
	}
	if err := t.UnmarshalText([]byte(w.Threshold)); err != nil {
		return err
	}
	t.Abort = w.Abort
	return nil
}
