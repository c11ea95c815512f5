//go:build race

package e2e

// raceDetector says whether the tests, and the clients in them, run under it.
const raceDetector = true
