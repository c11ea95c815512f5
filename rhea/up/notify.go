package up

import (
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rhea/proto/stage"
)

// maxSocketDir is the longest path of a directory that leaves room for a socket's
// name: the path of a socket has about a hundred bytes.
const maxSocketDir = 70

// socketDir makes an empty directory, at path if sockets there can be named.
func socketDir(path string) (string, error) {
	if path == "" || len(path) > maxSocketDir {
		return os.MkdirTemp("", "rhea-up-")
	}
	if err := os.RemoveAll(path); err != nil { // of one that was killed
		return "", err
	}
	return path, os.Mkdir(path, 0o700)
}

// hearReady opens a socket in dir on which a process says that it is ready, as
// sd_notify(3) has it, and calls ready whenever it does. Close ends that.
func hearReady(dir string, ready func()) (path string, closeIt func(), err error) {
	path = filepath.Join(dir, rand.Text())
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, 1<<10); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if slices.Contains(strings.Split(string(buf[:n]), "\n"), stage.NotifyReady) {
				ready()
			}
		}
	}()
	return path, func() {
		_ = conn.Close() // what is left of it goes with the directory
		<-ended
		_ = os.Remove(path)
	}, nil
}
