// Package e2e holds the tests of the whole: real binaries over real NATS and
// real sockets, driven as a client, an operator or an attacker would.
//
// relay_test.go starts and stops relays (rhea up, rhea solo, or the stages one
// by one around a NATS server of the test's own); client_test.go is a WebSocket
// client that sees every frame. The scenarios are one file each, and run over
// every kind of relay that makes sense for them.
//
// The protocol is shown in three ways: testdata/nips has a transcript for each rule
// (transcript_test.go plays them; docs/nips.md lists them), random histories are
// compared with the oracle of a whole relay (history_test.go), and clients of other
// projects do what they do (gonostr_test.go, negentropy_test.go, nostrtools_test.go).
//
// RHEA_E2E_ROUNDS raises the number of rounds of the fault tests (make e2e),
// RHEA_E2E_BUILD gives flags to the build of the binaries (make race: -race),
// RHEA_E2E_NPM allows what needs a package registry, and RHEA_E2E_DOCKER what needs
// a Docker engine with compose. Every random choice comes from a seed that is
// printed.
package e2e
