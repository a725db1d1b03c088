package mockfleet

import "net/http"

// meet lets a fault strike a connection that was just opened to a device; false is that it ended.
func (c *conn) meet(device int) bool {
	s, gone := c.fleet.store.dial(device)
	if gone {
		c.reset()
		return false
	}
	if s.none() {
		return true
	}
	if c.device >= 0 {
		c.belowTLS = true // there was no handshake, and will be none
	}
	s.act.(connectionFault).connect(c, s)
	return false
}

// endures lets a fault strike the connection of a request whose head was just read; false is that it
// ended.
func (c *conn) endures(r *request) bool {
	if c.device < 0 && !c.reused {
		return c.meet(r.device) // only now is known which device it is
	}
	var s strike
	gone := false
	if c.reused {
		s, gone = c.fleet.store.reuse(r.device, c.work)
	} else {
		gone = c.fleet.store.gone(r.device)
	}
	if gone {
		c.reset()
		return false
	}
	if s.none() {
		return true
	}
	s.act.(connectionFault).connect(c, s)
	return false
}

// faulty tells whether any device of the fleet may have a fault.
func (c *conn) faulty() bool { return c.fleet.store.behaviors.faulty.Load() }

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

// answerVersion serves GET /version where there are faults.
func (c *conn) answerVersion(r *request) bool {
	v, s := c.fleet.store.examine(r.device, c.work)
	c.work.body = appendVersionAnswer(c.work.body[:0], v.index, &v.device, v.version)
	return c.sendSpoiled(r, answerHead{status: http.StatusOK, typeLine: typeJSONLine}, s)
}
