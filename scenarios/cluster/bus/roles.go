package bus

import (
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A grant says which subjects a role may publish to and subscribe to.
type grant struct {
	publish, subscribe []string
}

// All subjects of a run begin with fleetmark. A wildcard stands for a whole part of a subject, so
// the names of streams, which begin with [Prefix], can't be told from others here: an own
// nats-server keeps Fleetmark in an account of its own.
//
//	fleetmark.discover             who is there?             controller publishes
//	fleetmark.offers.NAME          take part in a run?       controller publishes
//	fleetmark.names.NAME           has anybody this name?    agent publishes
//	fleetmark.RUN.commands.…       what agents are to do     controller publishes
//	fleetmark.RUN.clock            what time is it?          agent publishes
//	fleetmark.RUN.agents.NAME.…    an agent's reports        agent publishes
//	_INBOX.fleetmark.ROLE.…        answers to a role         its own role subscribes
//
// An agent answers a request that it was sent and publishes to no other inbox. Agents of one set of
// keys trust each other: they have the same key, and one could take another's name.

// grants returns what a role may do. It is the only table of permissions: the embedded server has
// it, and so has the configuration file that [MakeKeys] writes.
func grants(r Role) grant {
	if r == Controller {
		return grant{
			publish: []string{
				"fleetmark.>",
				"$JS.API.>", // make, read and delete streams, consumers and buckets
				"$JS.ACK.>", // acknowledge what it took from a stream
				"$JS.FC.>",  // answer the flow control of object downloads
				"$O.>",      // objects: artifacts
			},
			subscribe: []string{"fleetmark.>", inboxPrefix(Controller) + ".>"},
		}
	}
	return grant{
		publish: []string{
			"fleetmark.names.*",
			"fleetmark.*.clock",
			"fleetmark.*.agents.>",
			"$JS.API.INFO",             // is there JetStream?
			"$JS.API.STREAM.INFO.*",    // open a bucket, look for a run's stream
			"$JS.API.STREAM.DELETE.*",  // remove a run's stream whose controller is gone
			"$JS.API.STREAM.PURGE.*",   // put an object again
			"$JS.API.STREAM.MSG.GET.*", // read an object's description
			"$JS.API.DIRECT.GET.*",
			"$JS.API.DIRECT.GET.*.>",
			"$JS.API.CONSUMER.CREATE.*", // download an object
			"$JS.API.CONSUMER.CREATE.*.>",
			"$JS.API.CONSUMER.INFO.*.*",
			"$JS.API.CONSUMER.DELETE.*.*",
			"$JS.FC.>",
			"$O.*.C.*", // upload an object: its parts, and its description
			"$O.*.M.*",
		},
		subscribe: []string{
			"fleetmark.discover", "fleetmark.offers.*", "fleetmark.names.*", "fleetmark.*.commands.>", inboxPrefix(Agent) + ".>",
		},
	}
}

// How often and how long a connection may answer one request.
const (
	maxAnswers    = 16
	answersWithin = 10 * time.Minute
)

// inboxPrefix returns what the subjects begin with on which a role gets answers.
func inboxPrefix(r Role) string { return "_INBOX.fleetmark." + string(r) }

// permissions returns a role's grants in the form of the embedded server.
func permissions(r Role) *server.Permissions {
	g := grants(r)
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: slices.Clone(g.publish)},
		Subscribe: &server.SubjectPermission{Allow: slices.Clone(g.subscribe)},
		Response:  &server.ResponsePermission{MaxMsgs: maxAnswers, Expires: answersWithin},
	}
}
