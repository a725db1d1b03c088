package delivery

import (
	"errors"
	"fmt"
	"time"
)

// A settlement decides what a delivery does next, from what its requests have shown. It sends
// nothing, and reads no clock.
//
// The delivery begins in state push, and each request leads to the next by the first row that fits.
// A look is a verification:
//
//	    state      the request                                  what follows, and the next state
//	 1  push       accepted                                     look at once              check
//	 2  push       taken, and being installed (202)             look after Poll           poll
//	 3  push       refused while busy (409)                     look after Poll           check
//	 4  push       nothing of it was sent, or throttled         push after backing off    push
//	 5  push       sent, and what came of it is unknown         look at once              check
//	 6  push       refused, which may mean that it has it       look at once              check
//	 7  push       any other failure                            the delivery fails
//	 8  any look   runs the update, often enough                the delivery is done
//	 9  any look   runs the update                              look after Poll           the same
//	10  any look   lacks the update, as after 3, 5, 6 or 2      push after backing off    push
//	11  any look   any answer that another look won't change    the delivery fails
//	12  any look   it installs                                  look after Poll           poll
//	13  any look   gone, after it said that it has the update   look after Poll           poll
//	14  poll       any other failure                            look after Poll           poll
//	15  check      any other failure                            look after backing off    check
//
// Row 8 requires GoodReads answers in a row, and at least two if the device was gone or installing
// since its push, because it may run the update at first and then roll back. Row 11 includes a
// device that lacks an update that it said it had applied (1), or that it was seen to run. In row
// 13, gone means that nothing answers; a device has said that it has the update if its push was
// accepted, or if a look found it running the update. Pushes (4 and 10) end after MaxAttempts, and
// so do the failures of row 15. Rows 12 to 14 end when PollFor has passed since the first look. The
// delivery then fails.
//
// A device that is gone after a push whose answer was lost (5) may be rebooting with the update
// too, but nothing shows that: a device that went offline before the push resets a kept-alive
// connection, or falls silent, in the same way. If such devices were waited for, an outage would
// hold every worker for PollFor. So row 15 applies to them, and they aren't pushed to again: a
// later run asks them first.
type settlement struct {
	retry  Retry
	state  state
	pushes int       // so far
	pushed *Error    // what the last one showed; nil if the device said that it applied the update
	since  time.Time // of the first look after it

	looks    versionChecks // since the last push
	failures int           // of looks in state check
}

// A state says what the last request was, and how long its failures are tolerated.
type state uint8

const (
	statePush  state = iota
	stateCheck       // a look at a device that should be there: MaxAttempts
	statePoll        // a look at a device that installs, or is gone while it reboots: PollFor
)

// An action is what a delivery does next.
type action struct {
	do    step
	after time.Duration // how long to wait before it

	// retries is the failure that makes the next request a retry: the delivery backs off, and needs
	// a retry from the budget. It is nil if the next request is no retry.
	retries *Error

	err *Error // of stepEnd: why the delivery failed; nil if the device runs the update
}

// A step is a request, or the end of a delivery.
type step uint8

const (
	stepPush step = iota
	stepLook
	stepEnd
)

// begin returns the first action.
func (s *settlement) begin() action {
	s.pushes = 1
	return action{do: stepPush}
}

// next returns what follows a request that ended with e at a time. ended reports whether the
// delivery's context has ended, so that e may say nothing of the device.
func (s *settlement) next(e *Error, at time.Time, ended bool) action {
	if s.state == statePush {
		return s.afterPush(e, at)
	}
	return s.afterLook(e, at, ended)
}

func (s *settlement) afterPush(e *Error, at time.Time) action {
	s.pushed, s.looks, s.failures = e, versionChecks{}, 0
	look := func(next state, after time.Duration) action {
		s.state, s.since = next, at.Add(after)
		return action{do: stepLook, after: after}
	}
	if e == nil {
		return look(stateCheck, 0)
	}
	switch e.Class {
	case ClassPending:
		s.looks.outage = true
		return look(statePoll, s.retry.Poll)
	case ClassConflict:
		return look(stateCheck, s.retry.Poll)
	case ClassNotSent, ClassThrottled:
		return s.pushAgain(e)
	case ClassTimeout, ClassAmbiguous, ClassProtocol:
		if !e.sent {
			return s.pushAgain(e)
		}
		return look(stateCheck, 0)
	case ClassRefused:
		return look(stateCheck, 0)
	default:
		return action{do: stepEnd, err: e}
	}
}

func (s *settlement) afterLook(seen *Error, at time.Time, ended bool) action {
	if s.looks.settle(seen, s.retry.GoodReads) {
		return action{do: stepEnd}
	}
	switch {
	case seen == nil:
		return action{do: stepLook, after: s.retry.Poll}
	case ended || !seen.lookAgain():
		return s.afterLastLook(seen, ended)
	case seen.Class == ClassPending, seen.gone() && (s.pushed == nil || s.looks.ran):
		s.state = statePoll
	}
	if s.state == stateCheck {
		if s.failures++; s.failures >= s.retry.MaxAttempts {
			return s.afterLastLook(seen, ended)
		}
		return action{do: stepLook, retries: seen}
	}
	if at.Sub(s.since) >= s.retry.PollFor {
		return s.afterLastLook(seen.stillGone(), ended)
	}
	return action{do: stepLook, after: max(s.retry.Poll, min(seen.RetryAfter, s.retry.Cap))}
}

// afterLastLook returns what follows the last look after a push.
func (s *settlement) afterLastLook(seen *Error, ended bool) action {
	// A device is pushed to again only if it answered that it lacks the update, and had not said
	// that it applied it. A device that ran the update and rolled back would do so again.
	if s.pushed == nil || !LacksUpdate(seen) || s.refused(seen, ended) {
		return action{do: stepEnd, err: s.interrupted(seen, ended)}
	}
	if s.pushed.Class == ClassPending { // what came of it is known now
		return s.pushAgain(seen)
	}
	return s.pushAgain(s.pushed)
}

// pushAgain pushes again after a failure, up to MaxAttempts times in all.
func (s *settlement) pushAgain(after *Error) action {
	s.state = statePush
	if s.pushes >= s.retry.MaxAttempts {
		return action{do: stepEnd, err: after}
	}
	s.pushes++
	return action{do: stepPush, retries: after}
}

// interrupted returns how a delivery ends that can't go on because of e. e is the result of the
// last look, or what prevents the next request.
func (s *settlement) interrupted(e *Error, ended bool) *Error {
	switch {
	case s.state == statePush || s.pushed == nil:
		return e
	case s.refused(e, ended):
		return s.pushed
	case e.Class == ClassNotSent && s.pushed.Class != ClassPending && s.pushed.Class != ClassConflict:
		e.Class = s.pushed.Class // that nobody could be asked doesn't make it known that nothing was applied
	}
	return e
}

// refused reports whether the delivery fails because the device itself refuses the update. It does
// so unless something else is wrong with the device than that it lacks the update.
func (s *settlement) refused(seen *Error, ended bool) bool {
	return s.pushed.Class == ClassRefused && (seen.Class != ClassIntegrity || LacksUpdate(seen)) && !ended
}

// versionChecks records what the looks at a device have shown, until it is certain what it runs.
type versionChecks struct {
	consecutive int  // looks in a row that found it running the update
	ran         bool // it said that it runs the update, in this row or before
	outage      bool // it installed or was gone: it may come up right, and then go back
}

// settle adds what one more look showed, and reports whether it is certain that the device runs the
// update. Any other result starts the count again, because a device that couldn't be reached, or
// answered 500, may have rebooted since. If the device ran the update and rolled back, settle makes
// the error say so.
func (s *versionChecks) settle(seen *Error, goodReads int) bool {
	if seen == nil {
		s.consecutive++
		s.ran = true
		return s.consecutive >= goodReads && (s.consecutive > 1 || !s.outage)
	}
	s.consecutive = 0
	switch {
	case seen.Class == ClassPending, seen.gone():
		s.outage = true
	case s.ran && seen.Class == ClassIntegrity:
		seen.Err = fmt.Errorf("%w: %w", ErrRolledBack, seen.Err)
	}
	return false
}

// lookAgain reports whether the failure of a verification may be gone at another look.
func (e *Error) lookAgain() bool {
	switch e.Class {
	case ClassPending, ClassNotSent, ClassTimeout, ClassAmbiguous, ClassThrottled, ClassProtocol:
		return true
	default:
		return false
	}
}

// gone reports whether the failure is one that a rebooting device would show: no answer at all.
func (e *Error) gone() bool {
	return e.Status == 0 && (e.Class == ClassNotSent || e.Class == ClassTimeout || e.Class == ClassAmbiguous)
}

var errNotBack = errors.New("device has not come back from its reboot")

// stillGone returns the error of a device that never came back from its reboot.
func (e *Error) stillGone() *Error {
	if !e.gone() {
		return e
	}
	return &Error{Op: e.Op, Device: e.Device, Class: ClassPending, Err: fmt.Errorf("%w: %w", errNotBack, e.Err), sent: e.sent}
}
