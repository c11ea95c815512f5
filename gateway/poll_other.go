//go:build !linux

package gateway

func newNetwork() (network, error) { return newGoroutines(), nil }
