// The program service is an example of a service that updates devices by itself: it takes a rollout by
// HTTP, and says when it is over. scenario.yaml has Fleetmark measure it.
//
//	POST /rollouts       begins one, with a JSON object: version, artifact, devices; answers 202 and a Location
//	GET  /rollouts/{id}  answers 202 while it goes on, and then 200 with the devices that failed
//	GET  /healthz        answers 200
//	GET  /debug/pprof/   serves profiles
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
	"strconv"
	"sync"

	"github.com/fleetmark/fleetmark/delivery"
)

// An order is the body of POST /rollouts, as Fleetmark writes it by default.
type order struct {
	Version  string `json:"version"`
	Artifact struct {
		Path string `json:"path"`
	} `json:"artifact"`
	Devices []struct {
		ID      string `json:"id"`
		Address string `json:"address"`
	} `json:"devices"`
}

// A rollout is how far a rollout is.
type rollout struct {
	mu     sync.Mutex
	over   bool
	failed []string
}

type server struct {
	client  *delivery.Client
	workers int

	mu       sync.Mutex
	rollouts []*rollout
}

func (s *server) begin(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	artifact, err := delivery.OpenArtifact(r.Context(), o.Artifact.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	update, err := delivery.NewUpdate(o.Version, artifact)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	of := &rollout{failed: []string{}}
	s.mu.Lock()
	s.rollouts = append(s.rollouts, of)
	w.Header().Set("Location", "/rollouts/"+strconv.Itoa(len(s.rollouts)))
	s.mu.Unlock()
	go s.run(of, o, update)
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) run(of *rollout, o order, update *delivery.Update) {
	next := make(chan delivery.Device)
	var workers sync.WaitGroup
	for range s.workers {
		workers.Go(func() {
			for d := range next {
				if _, err := s.client.Deliver(context.Background(), d, update); err != nil {
					log.Print(err)
					of.mu.Lock()
					of.failed = append(of.failed, d.ID)
					of.mu.Unlock()
				}
			}
		})
	}
	for _, d := range o.Devices {
		next <- delivery.Device{ID: d.ID, Address: d.Address}
	}
	close(next)
	workers.Wait()
	of.mu.Lock()
	of.over = true
	of.mu.Unlock()
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || n < 1 || n > len(s.rollouts) {
		http.NotFound(w, r)
		return
	}
	of := s.rollouts[n-1]
	of.mu.Lock()
	defer of.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if !of.over {
		w.WriteHeader(http.StatusAccepted)
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"over": of.over, "failed": of.failed}); err != nil {
		log.Print(err)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "where to listen")
	workers := flag.Int("workers", 32, "devices at the same time")
	flag.Parse()
	client, err := delivery.New(delivery.Config{})
	if err != nil {
		log.Fatal(err)
	}
	s := &server{client: client, workers: *workers}
	http.HandleFunc("POST /rollouts", s.begin)
	http.HandleFunc("GET /rollouts/{id}", s.status)
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"version": "1.2.0"}`))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
