// Package cluster has several machines do one run together.
//
// A [Controller] has a scenario and a number of agents, and an agent, which [ServeAgent] is, does
// its part: a shard of the devices and of the planned operations. Each agent works out its part
// from the scenario alone, so nothing is handed out during the run, and all agents together do
// exactly what one process would do. What comes out is a run directory like any other, merged from
// what the agents measured, and a run directory of its own on each agent's machine.
//
// # The course of a run
//
// The controller asks who is there (controller.go), and makes an offer to each agent (run.go). An
// agent that accepts it gets the artifact, starts its fleet, and says that it is ready, and for
// what plan and artifact (job.go, work.go). Before each repetition every agent waits at a gate.
// When all are there, the controller says when the repetition starts, and each agent waits for that
// moment by its own clock, whose offset it has measured (clock.go). While the load runs, an agent
// sends its intervals, and afterwards its portion of the repetition (outbox.go); the controller
// merges them (session.go, and package runner), and at the end their profiles (profiles.go).
// Meanwhile it tells the run's Observer what is waited for (view.go).
//
// # What may be lost
//
// Controller and agents tell each other their states again and again, rather than each change once.
// So a message that was lost is made good by the next, and one that says nothing for a lease is
// gone: an agent ends its load then, and the controller the run, which is invalid. Results go
// through a stream of JetStream, which keeps them until the controller has taken them, and where a
// message that is sent twice counts once. What a run has in JetStream is removed by its controller,
// or else by its agents, or else by the next controller (leftovers.go).
//
// The package knows neither flags nor how NATS is reached, which is for package bus.
package cluster
