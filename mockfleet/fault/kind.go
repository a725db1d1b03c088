package fault

import (
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Kind describes a kind of fault: its name, the parameters it takes, and what it does. It is a row
// of the table of faults, and the scenario schema is generated from it.
//
// A kind has the hook of its Point and no other. At PointConnect it may have both Port and Connect.
// A kind of any point may have When.
type Kind struct {
	Name      string
	Point     Point
	Params    Params        // besides share, which every kind takes
	NeedsRate bool          // a fault must have a rate
	NeedsPort bool          // needs port addressing
	Defaults  Fault         // Delay and Status if they are left out
	Forced    ForcedOutcome // outcome of an update whose response the fault changes
	Permanent bool          // makes the device unreachable for good

	// Port returns the state of the device's port, in port addressing.
	Port func(Injection) PortState
	// Connect acts before any response, and ends the connection.
	Connect func(Conn, Injection)
	// Upload acts once the head of an update has been read, before its body.
	Upload func(Upload, Injection) Action
	// Body acts before the body is read. It changes how the device receives it.
	Body func(Upload, Injection)
	// Install returns the lifecycle of a device after an update.
	Install func(Injection) Lifecycle
	// Respond sends the response in its own way. It reports whether the connection goes on.
	Respond func(Exchange, *Response, Injection) bool
	// Report changes what a device reports in answer to a version request.
	Report func(*VersionReport, Injection)
	// When reports whether the fault acts on an attempt. The request is nil at PointConnect.
	When func(*Request, Injection) bool
}

// Table returns the table of faults, a row for each kind.
func Table() []Kind {
	table := []Kind{
		refuse(), connectStall(), flapping(), offline(),
		blackhole(), resetOnAccept(), closeOnAccept(), idleClose(),
		resetMidUpload(), closeMidUpload(), stallMidUpload(), slowRead(),
		early4xx(), noContinue(), status417(), noChunked(),
		corrupt(), duplicate(),
		status202(), reboot(), failedInstall(), rollback(),
		slowAnswer(), dripAnswer(), truncatedBody(), truncatedJSON(), wrongContentType(),
		garbage(), headerFlood(), endlessBody(), gzipBomb(), http10(),
		redirectLoop(), appliedButLost(), okButNotApplied(),
		wrongVersion(), wrongDigest(), wrongDevice(),
	}
	table = append(table, redirects()...)
	return append(table, statuses()...)
}

func lookup(table []Kind, name string) (Kind, bool) {
	if i := kindIndex(table, name); i >= 0 {
		return table[i], true
	}
	return Kind{}, false
}

func kindIndex(table []Kind, name string) int {
	return slices.IndexFunc(table, func(k Kind) bool { return k.Name == name })
}

// Names lists the names of the kinds, in the order of the table.
func Names() []string { return namesOf(Table()) }

func namesOf(table []Kind) []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	return names
}

// Needs returns the parameters that a fault of this kind must have.
func (k Kind) Needs() (p Params) {
	if k.NeedsRate {
		p |= ParamRate
	}
	if k.Params&ParamStatus != 0 && k.Defaults.Status == 0 {
		p |= ParamStatus
	}
	return p
}

// Statuses returns the bounds of the status of a fault of this kind. They mean nothing if the kind
// takes no status.
func (k Kind) Statuses() (low, high int) {
	switch k.Point {
	case PointInstall:
		return 200, 299
	case PointUpload:
		return 400, 499
	}
	return 400, 599
}

// fixedDelay returns the defaults of a kind whose delay is d unless a fault sets another.
func fixedDelay(d time.Duration) Fault {
	delay, err := random.Fixed(d)
	if err != nil {
		panic(err) // the kind's constant is out of bounds
	}
	return Fault{Delay: delay}
}

// Point is where in the life of a connection a fault acts. At each point, the first fault of a
// device's list that acts on an attempt is the one that acts.
type Point uint8

// The points, in the order in which a connection comes to them.
const (
	PointConnect         Point = iota // the state of a port, or each new connection where ports have no state
	PointReuse                        // a request on a connection that was used before
	PointUpload                       // an update, once its head has been read
	PointBody                         // the bytes of an update
	PointInstall                      // an update that was applied
	PointResponse                     // the response to an update
	PointVersionResponse              // the response to a version request
	PointReport                       // the content of that response
	pointCount
)

// Action is how an update goes on after an Upload hook.
type Action uint8

// The actions.
const (
	Continue Action = iota // as if there were no fault
	Refuse                 // it is answered as Upload.Refuse said, and not applied
	End                    // the hook called Upload.Abort, and the connection ends
)

// ForcedOutcome is what becomes of an update whose response a fault changes.
type ForcedOutcome uint8

// The forced outcomes.
const (
	Unforced      ForcedOutcome = iota // the same as without the fault
	ForceReject                        // it isn't applied
	ForceFalseAck                      // it isn't applied, and is acknowledged
)
