// Package watch shows runs on a web page: live, from a server on this machine, or as one file.
//
// The page loads nothing from elsewhere. The server only reads, serves nothing but the page, what
// the logs of the runs say and their samples, and answers nobody who reached it under the name of
// another machine.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcvd/configs/webpage"
	"mcvd/train/runs"
)

const (
	// maxSample is more bytes than the samples of a step have.
	maxSample = 1 << 26
	// patience is how long a page may take to read a message or a picture.
	patience = 30 * time.Second
)

// Server shows runs while they are trained.
type Server struct {
	// Every is how often the run folders are looked at; 0 is once a second.
	Every time.Duration
	// Host is a name, beside localhost and addresses, under which this machine may be called.
	Host string

	all []*runs.Run

	mu       sync.Mutex
	problems []error       // of each run's last update
	changed  chan struct{} // closed when the folders were looked at again
}

// New is a server for runs. They are its own from then on, until [Server.Serve] has ended.
func New(all []*runs.Run) *Server {
	return &Server{all: all, problems: make([]error, len(all)), changed: make(chan struct{})}
}

// Serve answers at a listener until ctx ends, which is no error; it closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: patience, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.follow(ctx)
	}()
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(l)
	cancel()
	<-followed
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// follow looks at the folders again and again.
func (s *Server) follow(ctx context.Context) {
	every := s.Every
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.mu.Lock()
		for i, r := range s.all {
			s.problems[i] = r.Update(ctx)
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for path, f := range page("mcvd").Files() {
		if path == "/" {
			path = "/{$}" // it alone, and not all that begins with it
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", f.Kind)
			io.WriteString(w, f.Text)
		})
	}
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /samples/{run}/{name}", s.sample)
	return s.guard(mux)
}

// guard refuses requests that came here by another machine's name, and tells browsers what the page
// may do: a page of somewhere else, whose name was made to point here (DNS rebinding), learns
// nothing.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", webpage.Policy("'self'", "'self'"))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !s.knows(r.Host) {
			http.Error(w, fmt.Sprintf("%q is not a name of this server; call it by its address", r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows says whether a Host header can be meant for this server: addresses and localhost can't be
// made to point elsewhere.
func (s *Server) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	_, err := netip.ParseAddr(name)
	return err == nil || name == "localhost" || s.Host != "" && name == strings.ToLower(s.Host)
}

// events sends a message when something has changed, until the page is gone.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	v := viewer{address: func(run int, name string) string { return "samples/" + strconv.Itoa(run) + "/" + name }}
	for {
		s.mu.Lock()
		text, err := json.Marshal(v.next(time.Now(), s.all, s.problems))
		changed := s.changed
		s.mu.Unlock()
		if err != nil {
			return // there is nothing in a message that JSON can't hold
		}
		out.SetWriteDeadline(time.Now().Add(patience))
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// sample serves a picture of a run's samples, and no other file.
func (s *Server) sample(w http.ResponseWriter, r *http.Request) {
	i, err := strconv.Atoi(r.PathValue("run"))
	kind := pictureKind(r.PathValue("name"))
	if err != nil || i < 0 || i >= len(s.all) || kind == "" {
		http.NotFound(w, r)
		return
	}
	picture, err := s.all[i].ReadSample(r.PathValue("name"), maxSample)
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, os.ErrNotExist) {
			status = http.StatusNotFound
		}
		http.Error(w, "samples: "+err.Error(), status)
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
	w.Header().Set("Content-Type", kind)
	w.Write(picture)
}

// pictureKind is the content type of a file of samples, "" if a name is none of one.
func pictureKind(name string) string {
	for extension, kind := range map[string]string{runs.Sheet: "image/png", runs.Film: "image/gif"} {
		if _, ok := runs.SampleStep(name, extension); ok {
			return kind
		}
	}
	return ""
}
