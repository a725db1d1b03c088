package cluster

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// A test starts this program again as somebody else.
	for variable, act := range map[string]func(string) error{
		asStranger: stranger, agentServerEnv: beAgent,
		asSimulatedController: simulateController, asSimulatedAgents: simulateAgents,
	} {
		if value := os.Getenv(variable); value != "" {
			if err := act(value); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}
