package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// Class says what a failure means for the device: whether the update may have been applied, and so
// what may be done next. Every error of an operation is an *Error with a class.
type Class uint8

// The classes.
const (
	ClassUnknown   Class = iota
	ClassNotSent         // nothing reached the device: safe to try again
	ClassTimeout         // a deadline passed; the update may have been applied
	ClassAmbiguous       // the update may have been applied: verify before a second push
	ClassThrottled       // the device asked for a pause
	ClassConflict        // another update is under way on the device
	ClassPending         // accepted, not yet running the new version
	ClassPermanent       // trying again can't help
	ClassProtocol        // the peer broke HTTP or the device interface
	ClassIntegrity       // wrong content, version or device
	ClassCanceled        // the caller's context was canceled
	ClassRefused         // the device said that it did not take the update, in an answer 200
	numClasses
)

var classNames = [numClasses]string{
	"unknown", "not-sent", "timeout", "ambiguous", "throttled", "conflict",
	"pending", "permanent", "protocol", "integrity", "canceled", "refused",
}

// String returns the name that reports use.
func (c Class) String() string {
	if c < numClasses {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// IsTransient reports whether a later attempt may succeed without anybody's intervention: the
// device couldn't be reached, asked for a pause, was busy or installing, or broke off.
func (c Class) IsTransient() bool {
	switch c {
	case ClassNotSent, ClassTimeout, ClassAmbiguous, ClassThrottled, ClassConflict, ClassPending:
		return true
	default:
		return false
	}
}

// ClassCounts counts failures by class: counts[ClassTimeout] is the number of timeouts.
type ClassCounts [numClasses]int

// Total returns the number of failures over all classes.
func (c ClassCounts) Total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// String lists the classes that have failures, as in "3 timeout, 1 permanent".
func (c ClassCounts) String() string {
	var parts []string
	for class, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, Class(class)))
		}
	}
	return strings.Join(parts, ", ")
}

// Op names an operation of a client. The Op of an [Error] is a single request: OpPush or OpVerify.
type Op string

// The operations.
const (
	OpPush    Op = "push"
	OpVerify  Op = "verify"
	OpDeliver Op = "deliver" // push, then verify, with retries
)

// Errors for what a device can answer to a verification or to a push. They are wrapped in an
// *Error.
var (
	// ErrLacksUpdate means that the device answers, and runs another version.
	ErrLacksUpdate = errors.New("device does not run the update")
	// ErrWrongDigest means that the version agrees and the content doesn't.
	ErrWrongDigest = errors.New("device runs other content under this version")
	// ErrWrongDevice means that another device answers at this address.
	ErrWrongDevice = errors.New("another device answers at this address")
	// ErrDeviceFailed means that the device says that it could not install the update.
	ErrDeviceFailed = errors.New("device failed to install")
	// ErrNotTaken means that the device answered a push with success: false, or without a success.
	// The error quotes the device's message.
	ErrNotTaken = errors.New("device did not take the update")
	// ErrRolledBack means that the device ran the update, and then something else.
	ErrRolledBack = errors.New("device ran the update and went back")
)

// ErrQuarantined is what errors.Is finds in the error of a Deliver, or of a device of a rollout,
// that ended with ClassIntegrity: the device said that it took the update and runs something else,
// failed to install it, or isn't the device that it should be. Nothing should be sent to it again
// until somebody has looked at it.
var ErrQuarantined = errors.New("delivery: device is quarantined")

// ErrClosed is what errors.Is finds in the error of an operation of a closed Client, which
// is of ClassPermanent.
var ErrClosed = exchange.ErrClosed

// Error is a failed operation on one device.
type Error struct {
	Op         Op
	Device     string // ID, or the address where the device has none
	Class      Class
	Status     int           // HTTP status, 0 if there was no answer
	RetryAfter time.Duration // what the device asked for, 0 if nothing
	Err        error         // what happened

	sent        bool // whether a byte of the request may have reached the device
	quarantined bool
	budget      bool // the retry budget ended the retries
}

// ofDelivery returns e, marked as the error that a whole delivery ended with.
func (e *Error) ofDelivery() *Error {
	e.quarantined = e.Class == ClassIntegrity
	return e
}

// Error names the operation, the device, the class and the cause.
func (e *Error) Error() string {
	status, end := "", ""
	if e.Status != 0 {
		status = fmt.Sprintf("status %d: ", e.Status)
	}
	if e.budget {
		end = " (not tried again: the retry budget is empty)"
	}
	return fmt.Sprintf("%s %s: %s: %s%v%s", e.Op, e.Device, e.Class, status, e.Err, end)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is find ErrQuarantined and ErrRetryBudget.
func (e *Error) Is(target error) bool {
	return e.quarantined && target == ErrQuarantined || e.budget && target == ErrRetryBudget
}

// ClassOf returns the class of an operation's error. It returns ClassUnknown for nil and for errors
// that are not of this package.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ClassUnknown
}

// classOfFailure returns the class of a transport's failure, and reports whether a byte of the
// request may have reached the device. The caller's context decides first: an operation that was
// canceled failed for that reason, whatever error the connection then returned.
func classOfFailure(ctx context.Context, f *exchange.Failure) (class Class, sent bool) {
	// A reset while connecting comes from a device that accepted and dropped us, not
	// from one that isn't there; whether connect or the first write sees it is chance.
	sent = f.Stage != exchange.Connect || errors.Is(f, syscall.ECONNRESET)
	switch {
	case ctx.Err() != nil:
		return classOfContext(ctx), sent
	case f.Kind == exchange.PeerRefused:
		return ClassPermanent, false
	case f.Kind == exchange.Source:
		return ClassPermanent, sent // the artifact can't be read, which isn't the device's fault
	case f.Kind == exchange.BadHTTP:
		return ClassProtocol, sent
	case exchange.IsTimeout(f):
		return ClassTimeout, sent
	case !sent:
		return ClassNotSent, false
	}
	return ClassAmbiguous, true
}

// classOfContext returns the class of an operation whose context has ended.
func classOfContext(ctx context.Context) Class {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ClassCanceled
	}
	return ClassTimeout
}

// classOfStatus returns the class of an answer's status, for an answer that is not a success (RFC
// 9110 §15; the table is in docs/reference/delivery.md). later says that the device named a time to
// come back at, which makes a 413 temporary (§15.5.14).
func classOfStatus(status int, later bool) Class {
	switch {
	case status == 202:
		return ClassPending
	case status == 409:
		return ClassConflict
	case status == 429 || status == 503 || status == 413 && later:
		return ClassThrottled
	case status == 408:
		return ClassAmbiguous
	case status == 501 || status == 505:
		return ClassPermanent // not implemented, HTTP version not supported: nothing was applied, nor will be
	case status >= 500 && status <= 599:
		return ClassAmbiguous
	case status >= 300 && status <= 499:
		return ClassPermanent // a redirect that can't be followed leads nowhere the next time either
	default:
		return ClassProtocol // 1xx and other 2xx have no meaning in the device interface
	}
}
