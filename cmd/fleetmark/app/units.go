package app

import "github.com/fleetmark/fleetmark/internal/project"

// declaredUnits returns which way is better of the metrics under units in fleetmark.yaml, +1 being more
// and -1 less. It is empty if there is no such file.
func declaredUnits() (map[string]int, error) {
	p, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	better := map[string]int{}
	for unit, u := range p.Config.Units {
		if better[unit] = -1; u.HigherIsBetter {
			better[unit] = +1
		}
	}
	return better, nil
}
