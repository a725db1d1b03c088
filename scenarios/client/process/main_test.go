package process

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

// TestMain makes the test binary a client if its first argument is "client".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "client" {
		os.Exit(behave(os.Args[2]))
	}
	// A process that the race detector watches otherwise waits a second before it exits.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// clientCommand returns the command of a client that behaves in a way.
func clientCommand(behavior string) []string { return []string{os.Args[0], "client", behavior} }

// request is what a client reads.
type request struct {
	ID        int64
	Operation string
	Device    struct{ ID, Address string }
}

// behave is a client that misbehaves when the address of a device says so, such as "hang". The
// behavior says how it begins.
func behave(behavior string) int {
	hello := `{"protocol":1,"version":"7"}`
	switch behavior {
	case "noop":
		if err := ServeNoop(os.Stdin, os.Stdout); err != nil {
			return 1
		}
		return 0
	case "driver": // of a process that ignores the end of its input
		p, err := Start(context.Background(), Config{Command: clientCommand("ignores-end")})
		if err != nil {
			return 1
		}
		fmt.Println(p.Usage().Processes[0])
		time.Sleep(time.Hour)
	case "exits":
		fmt.Fprintln(os.Stderr, "first\nno module named push")
		return 3
	case "silent":
		time.Sleep(time.Hour)
	case "secret":
		hello = `{"protocol":1,"version":"for s3cret"}`
	case "words":
		hello = "Starting with s3cret…"
	case "protocol-2":
		hello = `{"protocol":2}`
	case "endless":
		hello = strings.Repeat("x", 2*maxLine)
	case "push-and-verify":
		hello = `{"protocol":1,"operations":["push","verify"]}`
	case "ignores-end":
		defer time.Sleep(time.Hour)
	}
	fmt.Println(hello)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	first := lines.Text()
	for lines.Scan() {
		var r request
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			return 1
		}
		ok := fmt.Sprintf(`{"id":%d,"ok":true}`, r.ID)
		switch r.Device.Address {
		case "hang":
			time.Sleep(time.Hour)
		case "slow":
			time.Sleep(50 * time.Millisecond)
			fmt.Println(ok)
		case "die":
			fmt.Fprintln(os.Stderr, first+"\nout of s3cret memory")
			return 9
		case "nonsense":
			fmt.Println("pushing with s3cret")
		case "other":
			fmt.Println(`{"id":4711,"ok":true}`)
		case "twice":
			fmt.Println(ok + "\n" + ok)
		case "long":
			fmt.Println(strings.Repeat("x", 2*maxLine))
		case "flood":
			for range 10_000 {
				fmt.Fprintln(os.Stderr, strings.Repeat("noise ", 100))
			}
			fmt.Println(ok)
		case "fail":
			fmt.Printf(`{"id":%d,"error":{"class":"quota","message":"no s3cret\nleft","status":429},"pushes":3,"verifies":2}`+"\n", r.ID)
		case "arguments":
			fmt.Printf(`{"id":%d,"error":{"message":%q}}`+"\n", r.ID, strings.Join(os.Args[3:], " "))
		case "operation":
			fmt.Printf(`{"id":%d,"error":{"message":%q}}`+"\n", r.ID, r.Operation)
		default:
			fmt.Println(ok)
		}
	}
	return 0
}

// update returns an update, and a configuration for it.
func update(t testing.TB, behavior string) (*delivery.Update, Config) {
	t.Helper()
	artifact, err := delivery.ArtifactFromBytes([]byte("firmware"))
	require.NoError(t, err)
	u, err := delivery.NewUpdate(`2.0 "beta"`, artifact)
	require.NoError(t, err)
	return u, Config{
		Config: client.Config{
			Header: map[string][]string{"X-Token": {"s3cret", "s3"}}, Workers: 4, Seed: 1 << 63, TotalTimeout: time.Second, MaxAttempts: 3,
		},
		Command: clientCommand(behavior), Artifact: artifact, ArtifactFile: "/tmp/firmware.bin",
	}
}

// open starts a pool that is closed at the end of the test.
func open(t testing.TB, cfg Config) *Pool {
	t.Helper()
	p, err := Start(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}
