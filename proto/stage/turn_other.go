//go:build !linux

package stage

// waitYourTurn does nothing: only Linux has a policy for it.
func waitYourTurn() {}
