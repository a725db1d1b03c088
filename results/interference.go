package results

import (
	"fmt"
	"strings"
)

// Interference is what the machine did besides the run while its times were taken,
// as shares of all cores, 0 to 1.
type Interference struct {
	OthersFraction float64 `json:"others_fraction"` // processes that are neither the driver nor its fleet
	StolenFraction float64 `json:"stolen_fraction"` // taken by the hypervisor for other machines
}

// String is a clause: "other processes used 1.3% of all cores and the hypervisor took 0.0%".
func (i Interference) String() string {
	return fmt.Sprintf("other processes used %.1f%% of all cores and the hypervisor took %.1f%%", 100*i.OthersFraction, 100*i.StolenFraction)
}

// Above this share of all cores, what moved a time may have been the neighbours. A
// machine at rest stays within 2%; a build or a test beside the run takes half.
const maxInterference = 0.10

// Exceeds reports whether what else the machine did may have moved a time. It returns false if i is nil.
func (i *Interference) Exceeds() bool {
	return i != nil && (i.OthersFraction > maxInterference || i.StolenFraction > maxInterference)
}

// Disturbed says what took the machine from the run, in a clause, and is empty
// where that was too little to matter or isn't known.
func (i *Interference) Disturbed() string {
	if i == nil {
		return ""
	}
	var took []string
	if i.OthersFraction > maxInterference {
		took = append(took, fmt.Sprintf("other processes used %.0f%% of all cores", 100*i.OthersFraction))
	}
	if i.StolenFraction > maxInterference {
		took = append(took, fmt.Sprintf("the hypervisor took %.0f%%", 100*i.StolenFraction))
	}
	return strings.Join(took, " and ")
}
