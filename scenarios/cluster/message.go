package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// protocol is the version of the messages. Controller and agents must have the same.
const protocol = 1

// Subjects of the messages. RUN stands for the run's token, and NAME for the agent's name. The
// permissions in package bus are for these.
const (
	discoverSubject = "fleetmark.discover" // controller to all agents, which answer with an Info
	offerSubject    = "fleetmark.offers."  // + NAME; controller to one agent, which answers with an answer
	nameSubject     = "fleetmark.names."   // + NAME; an agent asks whether another has its name
	runSubject      = "fleetmark."         // + RUN + one of the following
	stateOfRun      = ".commands.state"    // controller to the run's agents, again and again: a controllerState
	clockOfRun      = ".clock"             // agent to controller, which answers with its time
	ofAgents        = ".agents."           // + NAME + one of the following
	stateOfAgent    = ".state"             // agent to controller, again and again: an agentState
	resultsOfAgent  = ".results"           // agent to the run's stream
	aliveOfRun      = ".controller"        // anybody to the run's controller, which answers
)

// An Info is what an agent says about itself when it is asked who is there.
type Info struct {
	Protocol int             `json:"protocol"`
	Name     string          `json:"name"`
	Instance string          `json:"instance"` // drawn at its start, so that two agents of one name differ
	Started  time.Time       `json:"started"`
	Role     Role            `json:"role"`
	Host     string          `json:"host"`
	Revision string          `json:"revision"` // of the source of its program
	Client   string          `json:"client"`   // name of the client that it drives
	Busy     string          `json:"busy"`     // token of the run that it has; empty if it has none
	Machine  results.Machine `json:"machine"`
	Facts    []string        `json:"facts"` // what the doctor finds unfit about its machine, a line each
}

// A Role says what an agent does.
type Role = results.AgentRole

// The roles. An agent of the role Both drives a fleet of its own over loopback.
const (
	Both   = results.RoleBoth
	Driver = results.RoleDriver // drives the devices of an agent with the role Fleet
	Fleet  = results.RoleFleet
)

// An offer asks an agent to take part in a run.
type offer struct {
	Protocol   int             `json:"protocol"`
	Run        string          `json:"run"`        // token of the run
	Controller string          `json:"controller"` // host of the controller
	Command    string          `json:"command"`    // how a user can repeat the run
	Role       Role            `json:"role"`
	Spec       json.RawMessage `json:"spec"` // the scenario with the agent's shard
	Revision   string          `json:"revision"`
	Client     string          `json:"client"`
	Lease      time.Duration   `json:"lease"`
	Artifact   *artifact       `json:"artifact,omitempty"` // of a scenario whose artifact is a file
	Network    netip.Prefix    `json:"network,omitzero"`   // of the devices; none: loopback
	Fleet      *fleetAddress   `json:"fleet,omitempty"`    // of an agent with the role Driver
}

// An artifact is a file that agents get from the run's object store.
type artifact struct {
	Digest string `json:"digest"` // SHA-256 in hex
	Size   int64  `json:"size"`
}

// A fleetAddress says where the fleet of another agent is. The token never leaves messages and
// memory.
type fleetAddress struct {
	Address string `json:"address"`
	Control string `json:"control"`
	Token   string `json:"token"`
	CA      string `json:"ca"`
}

// An answer is what an agent says to an offer.
type answer struct {
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason,omitempty"` // why not
}

// A repetitionKey identifies a repetition of a run.
type repetitionKey struct {
	Phase  runner.Phase `json:"phase"`
	Number int          `json:"number"`
}

func keyOf(rep runner.Repetition) repetitionKey { return repetitionKey{rep.Phase, rep.Number} }

func (k repetitionKey) String() string { return fmt.Sprintf("%s repetition %d", k.Phase, k.Number) }

// A controllerState is all that the agents of a run have to know. It is sent when it changes and
// several times in each lease. So an agent that missed a message learns of it from the next, and an
// agent that gets none for a lease knows that the controller is gone.
type controllerState struct {
	Repetition repetitionKey `json:"repetition"`      // that is to begin, or runs
	Start      int64         `json:"start,omitempty"` // when, by the controller's clock in nanoseconds; 0: not yet known
	Stop       string        `json:"stop,omitempty"`  // why the load is to end now; empty: it goes on
	Over       bool          `json:"over,omitempty"`  // the run is over: the agent is free
}

// The phases of an agent in a run.
type agentPhase string

const (
	preparing agentPhase = "preparing" // gets the artifact, starts the fleet, opens the run directory
	ready     agentPhase = "ready"     // for the first repetition
	running   agentPhase = "running"   // repetitions
	uploading agentPhase = "uploading" // what it measured is on its way to the controller
	ended     agentPhase = "done"      // everything is with the controller
	failed    agentPhase = "failed"    // see Error
	free      agentPhase = "free"      // takes part in the run no longer
)

// An agentState is all that the controller has to know about an agent besides its results. It is
// sent as a controllerState is.
type agentState struct {
	Instance string        `json:"instance"`
	Phase    agentPhase    `json:"phase"`
	Ready    *readiness    `json:"ready,omitempty"`  // from the phase ready on
	AtGate   repetitionKey `json:"at_gate,omitzero"` // the repetition that waits for its start, or has begun
	Armed    int64         `json:"armed,omitempty"`  // the start that it waits for, by the controller's clock
	Activity string        `json:"stage,omitempty"`  // what is done outside a load

	// How far that is, in devices or connections; ActivityOf is 0 if they aren't counted.
	ActivityDone int `json:"stage_done,omitempty"`
	ActivityOf   int `json:"stage_of,omitempty"`

	Error   string      `json:"failure,omitempty"` // why it failed
	Status  string      `json:"status,omitempty"`  // of its run directory, once it is over
	Upload  uploadState `json:"upload,omitzero"`   // what became of its profiles, once it is over
	Results uint64      `json:"results,omitempty"` // how many messages with results it has sent in all, once it is over
}

// A readiness is what an agent has to begin with.
type readiness struct {
	Plan     string `json:"plan"`     // digest of the plan
	Artifact string `json:"artifact"` // digest of the artifact
	Offset   int64  `json:"offset"`   // what is added to its clock to get the controller's, in nanoseconds
	Error    int64  `json:"error"`    // how far off that may be
	Devices  int    `json:"devices"`

	// Of an agent that drives: the name of its run directory, the client, and how its fleet is run.
	Run       string         `json:"run,omitempty"`
	Client    results.Client `json:"client,omitzero"`
	FleetKind string         `json:"fleet_kind,omitempty"`

	Fleet *fleetAddress `json:"fleet,omitempty"` // of an agent with the role Fleet
}

// The kinds of results.
const (
	intervalsKind = "intervals" // a list of intervalMessage
	portionKind   = "portion"   // a portionMessage
)

// An intervalMessage is an interval of a repetition.
type intervalMessage struct {
	Repetition repetitionKey   `json:"repetition"`
	Interval   json.RawMessage `json:"interval"` // see portion.Shape.ReadInterval
}

// A portionMessage is what an agent measured in a repetition.
type portionMessage struct {
	Repetition repetitionKey   `json:"repetition"`
	Began      int64           `json:"began"`   // when it really began, by the controller's clock
	Within     int64           `json:"within"`  // how far off that may be, in nanoseconds
	Portion    json.RawMessage `json:"portion"` // see portion.Shape.Read
}

// nameForm is what an agent's name may look like: it is part of subjects and file names.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// CheckName returns an error if an agent can't have this name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("agent name %q: want 1 to 63 letters, digits, - and _, the first a letter or a digit", name)
	}
	return nil
}

// tokenForm is what the token of a run looks like.
var tokenForm = regexp.MustCompile(`^[0-9a-f]{12}$`)

// newToken returns a random word of so many bytes in hex.
func newToken(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never returns an error
	return hex.EncodeToString(b)
}

// encode returns a message as JSON. All messages can be encoded.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
