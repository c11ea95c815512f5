package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsConfig is section [metrics].
type MetricsConfig struct {
	Listen string `toml:"listen" help:"address for /metrics, /healthz, /readyz and /debug/pprof, such as 127.0.0.1:9100; empty: none. Not for the public"`
}

// Validate refuses what is not host:port.
func (c *MetricsConfig) Validate() error {
	if c.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen is %q: want host:port", c.Listen)
	}
	return nil
}

// metricsServer answers /metrics, /healthz, /readyz and /debug/pprof for one
// process.
type metricsServer struct {
	http http.Server
	done chan struct{}
}

// startMetrics listens on address, which shared lets others do as well, until stop.
// It returns nil for an empty address.
func startMetrics(address string, shared bool, s *shell, log *slog.Logger) (*metricsServer, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := Listen(context.Background(), address, shared)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	server := &metricsServer{
		http: http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10},
		done: make(chan struct{}),
	}
	go func() {
		defer close(server.done)
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the metrics server ended", "err", err)
		}
	}()
	log.Info("metrics", "listen", listener.Addr().String())
	return server, nil
}

// stop gives requests under way a second, then cuts them.
func (m *metricsServer) stop() {
	if m == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.http.Shutdown(ctx) != nil {
		_ = m.http.Close() // nothing is left to do about a listener that will not close
	}
	<-m.done
}

// handler is built once the process is; stages that join later are seen.
func (s *shell) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), s,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("/healthz", s.answer(false))
	mux.HandleFunc("/readyz", s.answer(true))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// Describe implements prometheus.Collector; see Metrics.Describe.
func (s *shell) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector over all stages of the process.
func (s *shell) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	sets, checks := slices.Clone(s.sets), slices.Clone(s.checks)
	s.mu.Unlock()
	for _, c := range checks {
		c.collect(ch)
	}
	for _, m := range sets {
		m.Collect(ch)
	}
}

// answer says 200 and "ok", or 503 and a line for each failing check.
func (s *shell) answer(ready bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		failing := s.failing(ready)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if len(failing) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, strings.Join(failing, "\n"))
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// failing returns a line for each condition of any stage that does not hold.
func (s *shell) failing(ready bool) (lines []string) {
	s.mu.Lock()
	checks := slices.Clone(s.checks)
	s.mu.Unlock()
	for _, c := range checks {
		lines = c.failing(lines, ready)
	}
	return lines
}
