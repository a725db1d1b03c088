package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// An ArtifactServer serves an artifact over HTTP on this machine.
type ArtifactServer struct {
	URL    string
	server *http.Server
	done   chan struct{}
}

// ServeArtifact begins to serve an artifact.
func ServeArtifact(artifact *delivery.Artifact) (*ArtifactServer, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	handler := http.NewServeMux()
	handler.HandleFunc("GET /artifact", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "artifact", time.Time{}, artifact.Reader())
	})
	s := &ArtifactServer{
		URL:    "http://" + listener.Addr().String() + "/artifact",
		server: &http.Server{Handler: handler, ReadHeaderTimeout: askTimeout}, done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // until it is closed
	}()
	return s, nil
}

// Close ends the server and its connections.
func (s *ArtifactServer) Close() error {
	err := s.server.Close()
	<-s.done
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
