package results

import (
	"fmt"
	"strings"
)

// Interference is how much of the machine others used while a run's times were measured, as shares
// of all cores from 0 to 1.
type Interference struct {
	OthersFraction float64 `json:"others_fraction"` // processes that are neither the driver nor its fleet
	StolenFraction float64 `json:"stolen_fraction"` // taken by the hypervisor for other machines
}

// String returns a clause: "other processes used 1.3% of all cores and the hypervisor took 0.0%".
func (i Interference) String() string {
	return fmt.Sprintf("other processes used %.1f%% of all cores and the hypervisor took %.1f%%",
		100*i.OthersFraction, 100*i.StolenFraction)
}

// maxOthersShare is the share of all cores above which others may have changed a time. An idle
// machine stays within 2%; a build or a test beside the run takes half.
const maxOthersShare = 0.10

// Exceeds reports whether others may have changed a time. It returns false if i is nil.
func (i *Interference) Exceeds() bool {
	return i != nil && (i.OthersFraction > maxOthersShare || i.StolenFraction > maxOthersShare)
}

// Excess returns a clause about the shares that are too large. It returns "" if none is, or if i
// is nil.
func (i *Interference) Excess() string {
	if i == nil {
		return ""
	}
	var took []string
	if i.OthersFraction > maxOthersShare {
		took = append(took, fmt.Sprintf("other processes used %.0f%% of all cores", 100*i.OthersFraction))
	}
	if i.StolenFraction > maxOthersShare {
		took = append(took, fmt.Sprintf("the hypervisor took %.0f%%", 100*i.StolenFraction))
	}
	return strings.Join(took, " and ")
}
