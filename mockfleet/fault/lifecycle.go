package fault

import (
	"net/http"
	"time"
)

// Lifecycle is what happens to a device after it has accepted an update, in the order of the
// fields.
type Lifecycle struct {
	Status        int // of the response; 0 is the usual one
	Message       string
	Install       time.Duration // how long it installs; it runs the update only after that
	FailInstall   bool          // the install fails, so that it runs what it ran before
	Reboot        time.Duration // how long it can't be reached
	Rollback      bool          // it goes back to what it ran before, after RollbackAfter
	RollbackAfter time.Duration // 0 is after the next version request
}

// IsZero reports whether c is the zero value: the device runs the update at once.
func (c *Lifecycle) IsZero() bool { return *c == Lifecycle{} }

// Merge returns c with its zero fields taken from usual, the lifecycle without a fault. No reboot
// follows an install that fails.
func (c Lifecycle) Merge(usual Lifecycle) Lifecycle {
	if c.Install == 0 {
		c.Install = usual.Install
	}
	if c.Reboot == 0 && !c.FailInstall {
		c.Reboot = usual.Reboot
	}
	if c.Status == 0 {
		c.Status, c.Message = usual.Status, usual.Message
	}
	return c
}

// Accepted returns c with the response to an update that doesn't run at once: 202.
func (c Lifecycle) Accepted() Lifecycle {
	switch {
	case c.Install > 0:
		c.Status, c.Message = http.StatusAccepted, "installing"
	case c.Reboot > 0:
		c.Status, c.Message = http.StatusAccepted, "rebooting"
	}
	return c
}
