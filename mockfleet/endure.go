package mockfleet

import "net/http"

// eventful tells whether any device of the fleet may be other than well.
func (c *conn) eventful() bool { return c.fleet.store.behaviors.eventful.Load() }

// meet lets what a device is like act on a connection that was just opened to it, and gives the device's
// plan; nil is that the connection ended.
func (c *conn) meet(device int) *plan {
	r := c.fleet.store.dial(device)
	c.held = r.held
	if !c.survives(r) {
		return nil
	}
	c.welcome(&r.plan.Network)
	return r.plan
}

// endures lets what a device is like act on the connection of a request whose head was just read; false
// is that it ended.
func (c *conn) endures(r *request) bool {
	if c.device < 0 && c.served == 0 {
		r.plan = c.meet(r.device) // only now is known which device it is
	} else if of := c.fleet.store.revisit(r.device, c.served > 0, c.work); c.survives(of) {
		r.plan = of.plan
	}
	if r.plan == nil {
		return false
	}
	n := &r.plan.Network
	r.close = r.close || n.MaxRequests > 0 && c.served+1 >= n.MaxRequests
	r.answer10 = n.HTTP10
	return true
}

// survives tells whether a connection goes on. Where a fault strikes it, it is over when that returns.
func (c *conn) survives(r reach) bool {
	switch {
	case r.gone || r.full:
		c.reset()
		return false
	case r.strike.none():
		return true
	}
	if c.work == nil {
		c.belowTLS = true // there was no handshake, and will be none
	}
	r.strike.act.(connectionFault).connect(c, r.strike)
	return false
}

// lose gives up an update that is coming in.
func (c *conn) lose(r *request, p *push) { c.fleet.store.abandon(r.device, p) }

// sendSpoiled sends an answer as a fault has it; without one, as it is.
func (c *conn) sendSpoiled(r *request, h answerHead, s strike) bool {
	if s.none() {
		return c.send(r, h)
	}
	c.fleet.store.note(s)
	return s.act.(answerFault).answer(c, r, h, s)
}

// strikeUpload lets the faults of an update strike before its body comes in.
func (c *conn) strikeUpload(r *request, p *push) verdict {
	if s := p.strikes.content; !s.none() {
		c.fleet.store.note(s)
		s.act.(contentFault).content(r, p, s)
	}
	s := p.strikes.upload
	if s.none() {
		return carryOn
	}
	c.fleet.store.note(s)
	return s.act.(uploadFault).upload(c, r, p, s)
}

// answerVersion serves GET /version where not every device is well.
func (c *conn) answerVersion(r *request) bool {
	s := c.fleet.store.examine(r.device, c.work)
	v := &c.work.view
	if !c.pause(v.plan.Network.rtt(c.fleet.store.seed, r.device, v.number, purposeVersionRTT)) {
		return false
	}
	c.work.body = appendVersionAnswer(c.work.body[:0], v.index, &v.device, v.version)
	return c.sendSpoiled(r, answerHead{status: http.StatusOK, typeLine: typeJSONLine}, s)
}
