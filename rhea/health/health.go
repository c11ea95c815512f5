// Package health asks a process of Rhea how it is, over its metrics port, as a
// container's health check does. It knows HTTP and nothing of the stages.
package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rhea/rhea/whole"
)

// Patience bounds the whole of one question.
const Patience = 2 * time.Second

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 16 << 10

// URL is where to ask, given what somebody wrote: a URL, or host and port, as
// [metrics] listen has them. Without a path it is /readyz, and "any address" is
// reached on loopback.
func URL(where string) (string, error) {
	if !strings.Contains(where, "://") {
		where = "http://" + whole.Reachable(where)
	}
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is neither a URL nor host:port", where)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/readyz"
	}
	return u.String(), nil
}

// Ask returns nil if the process is well, or else why not, in one line.
func Ask(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	// Each question has its own connection: the command ends with it.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%s has not answered in %s", at, Patience)
		}
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if response.StatusCode != http.StatusOK {
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		return fmt.Errorf("%s: %s", response.Status, strings.Join(lines, "; "))
	}
	return nil
}
