package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/fleetmark/fleetmark/delivery"
)

// device starts a minimal device, which runs what it was sent.
func device() *httptest.Server { return httptest.NewServer(deviceHandler()) }

func deviceHandler() http.Handler {
	version, digest := "1.0.0", ""
	mux := http.NewServeMux()
	mux.HandleFunc("POST /update", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		version, digest = r.Header.Get("X-Update-Version"), "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"success":true,"message":"applied","size":1,"digest":%q}`, digest)
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"device_id":"till-17","version":%q,"digest":%q,"state":"idle"}`, version, digest)
	})
	return mux
}

func Example() {
	till := device()
	defer till.Close()

	client, err := delivery.New(delivery.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		fmt.Println(err)
		return
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.Deliver(context.Background(), delivery.Device{ID: "till-17", Address: till.URL}, update)
	fmt.Println(report.Pushes, "push,", report.Verifies, "verification, error:", err)
	// Output: 1 push, 1 verification, error: <nil>
}

func ExampleClassOf() {
	client, err := delivery.New(delivery.Config{Retry: delivery.Retry{MaxAttempts: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		fmt.Println(err)
		return
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		fmt.Println(err)
		return
	}
	nobody := delivery.Device{ID: "till-18", Address: "http://127.0.0.1:1"}
	_, err = client.Deliver(context.Background(), nobody, update)
	var failure *delivery.Error
	fmt.Println(errors.As(err, &failure), failure.Op, failure.Device, failure.Class)
	fmt.Println(delivery.ClassOf(err) == delivery.ClassNotSent)
	// Output:
	// true push till-18 not-sent
	// true
}
